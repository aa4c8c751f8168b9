"""Sending a request until there is an answer: attempts, pauses between them, and a deadline over all."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

from otel_llm.client import errors as client_errors
from otel_llm.client.http import shared_client
from otel_llm.errors import DeadlineError, LLMError, NoConnectionError, ProviderError
from otel_llm.protocols import Fold, Protocol, ResponseFacts
from otel_llm.protocols.framing import Framing, decode_json

T = TypeVar("T")

#: Errors after which the same request may well succeed.
_PASSING: Final = frozenset({"rate_limit", "overloaded", "server", "network", "timeout"})
_CONNECT_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 8.0
#: The HTTP library's own timeout, which is recorded as one, comes before the one that cancels.
_GRACE_S: Final = 0.25


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A request as it is to be sent, and what is needed to read the answer. Holds the key, so it has no repr."""

    base_url: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    protocol: Protocol
    #: ``provider:model``, for errors.
    model: str
    key: str
    #: Name of the variable that the key is from.
    variable: str


class Patience:
    """How long and how often a call is tried. ``timeout_s`` seconds in all; ``retries`` times again."""

    def __init__(self, timeout_s: float, retries: int) -> None:
        self.timeout_s = timeout_s
        self._until = time.monotonic() + timeout_s
        self._retries = retries

    def left_s(self) -> float:
        return max(0.001, self._until - time.monotonic())

    async def persist(self, attempt: Callable[[], Awaitable[T]], model: str) -> T:
        """The result of ``attempt``, made again after errors that pass. Raises LLMError."""
        tries = 0
        while True:
            try:
                return await self.in_time(attempt, model)
            except LLMError as error:
                pause = _pause_s(error, tries)
                if error.category not in _PASSING or tries >= self._retries or pause >= self.left_s():
                    raise
            tries += 1
            await asyncio.sleep(pause)

    async def in_time(self, attempt: Callable[[], Awaitable[T]], model: str) -> T:
        """The result of ``attempt``, if it comes before the deadline. Raises DeadlineError."""
        try:
            async with asyncio.timeout(self.left_s() + _GRACE_S):
                return await attempt()
        except TimeoutError:
            raise DeadlineError(f"no answer within {self.timeout_s:g} s", model=model, category="timeout") from None


def _pause_s(error: LLMError, tries: int) -> float:
    """What the provider asks for; else longer each time, and by chance, so that calls that failed together do not return together."""
    if error.retry_after_s is not None:
        return error.retry_after_s
    longest: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**tries)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  (no secret)


async def fetch(out: Outgoing, patience: Patience) -> tuple[ResponseFacts, dict[str, Any]]:
    """The facts and the body of an answer. Raises LLMError."""

    async def attempt() -> tuple[ResponseFacts, dict[str, Any]]:
        async with shared_client((out.base_url, out.key)) as client, _told(out):
            response = await _post(client, out, patience.left_s(), stream=False)
            return _read(out, response)

    return await patience.persist(attempt, out.model)


@asynccontextmanager
async def opened(out: Outgoing, patience: Patience) -> AsyncIterator[StreamedAnswer]:
    """The answer of a request for a stream, once it has begun. Raises LLMError."""
    async with AsyncExitStack() as stack:
        lease = shared_client((out.base_url, out.key))
        client = await patience.in_time(lambda: stack.enter_async_context(lease), out.model)

        async def attempt() -> httpx.Response:
            async with _told(out):
                return await _begun(client, out, patience)

        response = await patience.persist(attempt, out.model)
        try:
            yield StreamedAnswer(out, response)
        finally:
            await response.aclose()


async def _begun(client: httpx.AsyncClient, out: Outgoing, patience: Patience) -> httpx.Response:
    response = await _post(client, out, patience.left_s(), stream=True)
    if response.status_code >= 400:
        try:
            await response.aread()
        finally:
            await response.aclose()
        _read(out, response)
    return response


async def _post(client: httpx.AsyncClient, out: Outgoing, timeout_s: float, *, stream: bool) -> httpx.Response:
    timeout = httpx.Timeout(timeout_s, connect=min(_CONNECT_S, timeout_s))
    url = f"{out.base_url}{out.path}"
    request = client.build_request("POST", url, json=out.body, headers=out.headers, timeout=timeout)
    return await client.send(request, stream=stream)


def _read(out: Outgoing, response: httpx.Response) -> tuple[ResponseFacts, dict[str, Any]]:
    """What a whole answer says; an error in it is raised."""
    try:
        body = decode_json(response.content)
    except ValueError:
        body = None
    facts = out.protocol.response(body)
    if response.status_code >= 400 or facts.error is not None:
        raise _refusal(out, response, facts)
    if not isinstance(body, dict):
        status = response.status_code
        raise ProviderError("the answer is no JSON object", model=out.model, category="server", status=status)
    return facts, body


def _refusal(out: Outgoing, response: httpx.Response, facts: ResponseFacts) -> LLMError:
    where = {"model": out.model, "variable": out.variable, "key": out.key}
    return client_errors.of_answer(response.status_code, facts.error, response.headers, **where)


@asynccontextmanager
async def _told(out: Outgoing) -> AsyncIterator[None]:
    """Errors of the HTTP library in our words."""
    try:
        yield
    except httpx.HTTPError as error:
        raise client_errors.of_transport(error, model=out.model, key=out.key) from error


class StreamedAnswer:
    """A stream that is being read."""

    def __init__(self, out: Outgoing, response: httpx.Response) -> None:
        self._out = out
        self._response = response
        self._framing = Framing(response.headers.get("content-type"))
        self._fold: Fold = out.protocol.fold()
        self._whole: dict[str, Any] | None = None

    async def events(self) -> AsyncGenerator[Any, None]:
        """The events as they arrive. Raises NoConnectionError or DeadlineError."""
        async with _told(self._out):
            async for piece in self._response.aiter_bytes():
                for event in self._taken(self._framing.feed(piece)):
                    yield event
                    if isinstance(event, dict) and event.get("error"):
                        return  # nothing follows, though some servers leave the connection open
        for event in self._taken(self._framing.end()):
            yield event

    def _taken(self, events: list[Any]) -> list[Any]:
        for event in events:
            if self._framing.streamed:
                self._fold.feed(event)
            else:
                self._whole = event if isinstance(event, dict) else None
        return events

    def end(self) -> tuple[ResponseFacts, dict[str, Any]]:
        """The facts and the body of the whole. Raises LLMError if it tells of an error, or broke off."""
        body = self._fold.body() if self._whole is None else self._whole
        facts = self._out.protocol.response(body)
        if facts.error is not None:
            raise _refusal(self._out, self._response, facts)
        if self._whole is None and not self._fold.done and not facts.finish_reasons:
            raise NoConnectionError("the stream broke off", model=self._out.model, category="network")
        return facts, body
