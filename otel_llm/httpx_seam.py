"""What is wrapped around ``Client.send`` and ``AsyncClient.send`` of httpx and httpx2, which share it.

All SDKs on these libraries pass through ``send``, whatever transport they use below it. Nothing of a request or response is changed
but the response's stream, which is teed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_llm import call as recording
from otel_llm.call import Call
from otel_llm.emit import Emitter
from otel_llm.guard import guarded
from otel_llm.sending import send as send_recorded
from otel_llm.sending import send_async
from otel_llm.tee import tee_types

#: Gives what records, or None where nothing is to be recorded.
Source: TypeAlias = Callable[[], Emitter | None]
Around: TypeAlias = Callable[..., Any]


def around_send(library: ModuleType, emitter: Source) -> Around:
    """For ``Client.send``."""
    tee, _ = tee_types(library)

    def send(wrapped: Around, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _start(emitter(), args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        response = send_recorded(call, lambda: wrapped(*args, **kwargs))
        _watch(call, response, tee)
        return response

    return send


def around_async_send(library: ModuleType, emitter: Source) -> Around:
    """For ``AsyncClient.send``."""
    _, tee = tee_types(library)

    async def send(wrapped: Around, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _start(emitter(), args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        response = await send_async(call, wrapped(*args, **kwargs))
        _watch(call, response, tee)
        return response

    return send


@guarded
def _start(emitter: Emitter | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    if emitter is None or not is_instrumentation_enabled():
        return None
    return recording.start(emitter, args[0] if args else kwargs["request"])


def _watch(call: Call, response: Any, tee: type[Any]) -> None:
    if not _follow(call, response, tee):
        call.closed()


@guarded
def _follow(call: Call, response: Any, tee: type[Any]) -> bool:
    """Read an answer that is there already, or tee one that is still to be read."""
    content_type, coding = response.headers.get("content-type", ""), response.headers.get("content-encoding", "")
    if response.is_closed:
        call.answered(response.status_code, content_type, "", response.headers.raw)
        call.received(response.content)
        call.ended()
    else:
        call.answered(response.status_code, content_type, coding, response.headers.raw)
        response.stream = tee(response.stream, call)
    return True
