"""Puts one SDK through all cases, in an environment that has it: ``case.py module:Class``. Writes JSON to standard output."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import wrapt
from cases import COMMON, TEXT, TOOL, Caller, Case
from checking import faults

import otel_llm
from otel_llm.providers import PROVIDER_HOSTS_VARIABLE
from otel_llm.testing.provider import Exchange, FakeProvider, Reply
from otel_llm.testing.sink import SpanSink

_SECONDS = 30
_METHODS = (
    ("httpx", "Client.send"),
    ("httpx", "AsyncClient.send"),
    ("httpx2", "Client.send"),
    ("httpx2", "AsyncClient.send"),
    ("aiohttp", "ClientSession._request"),
)


#: What is still to be answered in this case; a request beyond that gets an answer made up, and counts as one too many.
_replies: list[Reply] = []


def _next_reply(_: Exchange) -> Reply:
    return _replies.pop(0) if _replies else Reply(text=TEXT)


def main() -> None:
    """Run, and write ``{"libraries": {mode: text}, "cases": [{case, mode, common, result, faults}]}``."""
    warnings.simplefilter("ignore")
    gc.disable()  # so that a span which only a collection ends is seen to be late, each time
    logging.disable(logging.CRITICAL)
    module, _, kind = sys.argv[1].partition(":")
    caller: Caller = getattr(import_module(module), kind)()
    out = sys.stdout
    sys.stdout = sys.stderr  # some SDKs print
    with FakeProvider(default=_next_reply, pause_s=0.001) as fake:
        if caller.provider:
            os.environ[PROVIDER_HOSTS_VARIABLE] = f"127.0.0.1:{fake.port}={caller.provider}"
        libraries = {mode: _libraries(caller, fake, mode) for mode in ("sync", "async")}
        made = {mode: _client(caller, fake, mode, 0) for mode in ("sync", "async")}
        with SpanSink.provider() as (provider, sink):
            otel_llm.instrument(tracer_provider=provider, content=otel_llm.CaptureMode.SPAN_ONLY)
            rows = [
                _row(caller, fake, sink, case, mode, made[mode])
                for case in (*COMMON, *caller.further)
                for mode in ("sync", "async")
            ]
    json.dump({"libraries": libraries, "cases": rows}, out)


def _row(caller: Caller, fake: FakeProvider, sink: SpanSink, case: Case, mode: str, made: Any) -> dict[str, Any]:
    row = {"case": case.name, "mode": mode, "common": case in COMMON}
    if not hasattr(caller, _method(case.method, mode)) or (case.retries and not caller.tries_again):
        return row | {"result": "not applicable", "faults": []}
    sink.clear()
    fake.clear()
    _replies[:] = case.replies
    problem = _call(caller, case, mode, made if case.before else _client(caller, fake, mode, case.retries))
    late = bool(sink.open)
    gc.collect()  # ends a response that the SDK has dropped without closing it
    found = ([problem] if problem else []) + faults(case, sink, [e for e in fake.exchanges if e.api])
    return row | {"result": "failed" if found else "late" if late else "ok", "faults": found}


def _call(caller: Caller, case: Case, mode: str, client: Any) -> str | None:
    """What went wrong for the application."""
    try:
        said = _run(getattr(caller, _method(case.method, mode)), client, mode)
    except Exception as error:  # noqa: BLE001  (each SDK has its own)
        return (
            f"the SDK raised {type(error).__name__}: {str(error).partition(chr(10))[0][:200]}" if case.fails is False else None
        )
    if case.fails:
        return "the SDK raised nothing"
    if case.fails is None:
        return None
    wanted = {TOOL} if case.replies[-1].tool_calls else {TEXT, "vector"}
    return None if said in wanted else f"the SDK returned {said!r}"


def _run(method: Callable[[Any], Any], client: Any, mode: str) -> Any:
    if mode == "sync":
        return method(client)

    async def limited() -> Any:
        try:
            return await asyncio.wait_for(method(client), _SECONDS)
        finally:
            await asyncio.sleep(0)  # lets what the SDK left over end

    return asyncio.run(limited())


def _client(caller: Caller, fake: FakeProvider, mode: str, retries: int) -> Any:
    return caller.client(fake, retries) if mode == "sync" else caller.async_client(fake, retries)


def _method(name: str, mode: str) -> str:
    return name if mode == "sync" else f"{name}_async"


def _libraries(caller: Caller, fake: FakeProvider, mode: str) -> str:
    """Which HTTP libraries a plain call goes through, outermost first; looked at before otel-llm is switched on."""
    seen: list[str] = []
    with _watched(seen):
        problem = _call(caller, Case("library", "plain"), mode, _client(caller, fake, mode, 0))
    return " over ".join(dict.fromkeys(seen)) or (problem or "none")


@contextmanager
def _watched(seen: list[str]) -> Iterator[None]:
    """Notes the library of each request."""
    undo = []
    for library, path in _METHODS:
        if find_spec(library) is None:
            continue
        kind, name = path.split(".")
        owner = getattr(import_module(library), kind)
        undo.append((owner, name, owner.__dict__[name]))
        wrapt.wrap_function_wrapper(library, path, _noting(library, seen))
    try:
        yield
    finally:
        for owner, name, original in undo:
            setattr(owner, name, original)


def _noting(library: str, seen: list[str]) -> Callable[..., Any]:
    def note(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(library)
        return wrapped(*args, **kwargs)

    return note


if __name__ == "__main__":
    main()
