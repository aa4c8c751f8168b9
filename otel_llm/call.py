"""One exchange being recorded: from its request to its end, whatever that is, once only."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.answer import Answer
from otel_llm.emit import Emission, Emitter, Outcome, Target
from otel_llm.endpoints import Endpoint, recognise
from otel_llm.failure import describe, error_type
from otel_llm.guard import guarded
from otel_llm.protocols import RequestFacts, ResponseFacts
from otel_llm.protocols.framing import decode_json

#: Request bodies above this many bytes are not read: what they hold is left out, the call is still recorded.
MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
_PEEK = 2048
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
_DEFAULT_PORTS = {"https": 443, "http": 80}


class Call:
    """An exchange while it is being recorded. Implements :class:`otel_llm.tee.Reader`; no method raises."""

    def __init__(
        self, endpoint: Endpoint, emission: Emission, request: RequestFacts, exchange: dict[str, AttributeValue]
    ) -> None:
        self.context: Context | None = emission.context
        self._endpoint = endpoint
        self._emission = emission
        self._request = request
        self._exchange = exchange
        self._answer: Answer | None = None
        self._status = 0
        self._started = time.perf_counter()
        self._first_chunk_s: float | None = None
        self._once = threading.Lock()

    @guarded
    def answered(self, status: int, content_type: str, coding: str) -> None:
        """The response's head has arrived."""
        self._status = status
        self._answer = Answer(self._endpoint.protocol, content_type, coding)

    @guarded
    def received(self, piece: bytes) -> None:
        """A piece of the body has arrived; the piece that completes the answer also ends the call."""
        answer = self._answer
        if answer is None or self._once.locked():
            return
        answer.feed(piece)
        if self._first_chunk_s is None and answer.begun:
            self._first_chunk_s = time.perf_counter() - self._started
        if answer.done:
            self.ended()

    @guarded
    def ended(self) -> None:
        """The body is complete."""
        if self._once.acquire(blocking=False):
            self._finish(self._facts())

    @guarded
    def failed(self, error: BaseException) -> None:
        """Sending or reading has raised ``error``."""
        if not self._once.acquire(blocking=False):
            return
        facts = self._facts()
        self._exchange[sc.ERROR_TYPE] = error_type(error)
        if isinstance(error, asyncio.CancelledError):
            self._exchange[sc.ENDING] = sc.CANCELLED
        elif self._answer is not None:
            self._exchange[sc.ENDING] = sc.TRUNCATED
        self._finish(facts, describe(error))

    @guarded
    def closed(self) -> None:
        """The response was closed or dropped; if its body was not complete, the call was abandoned."""
        if not self._once.acquire(blocking=False):
            return
        self._exchange[sc.ENDING] = sc.ABANDONED
        self._finish(self._facts())

    def _facts(self) -> ResponseFacts:
        return ResponseFacts() if self._answer is None else self._answer.facts()

    def _finish(self, response: ResponseFacts, failure: str | None = None) -> None:
        if self._status >= 400 or response.error is not None:
            failure = failure or self._refused(response)
        self._emission.finish(Outcome(self._request, response, self._exchange, failure, self._first_chunk_s))

    def _refused(self, response: ResponseFacts) -> str:
        """The provider's own words for an error, in the status or inside a 200 body."""
        error = response.error
        kind = error.type if error is not None else sc.OTHER
        if self._status >= 400:
            self._exchange[sc.HTTP_STATUS_CODE] = self._status
            kind = str(self._status) if kind == sc.OTHER else kind
        self._exchange[sc.ERROR_TYPE] = kind
        return (error.message if error else None) or f"HTTP {self._status}"


def start(emitter: Emitter, request: Any) -> Call | None:
    """Begin to record ``request`` (of httpx or httpx2), or None if it is no LLM call or nothing records it."""
    url = request.url
    endpoint = recognise(request.method, url.host, url.path, url.port)
    if endpoint is None:
        return None
    content = _content(request)
    if not endpoint.certain and content is not None and not endpoint.protocol.matches(_decoded(content)):
        return None
    model = _MODEL.search(content[:_PEEK]) or _MODEL.search(content[-_PEEK:]) if content else None
    target = Target(
        endpoint.provider,
        endpoint.protocol.operation,
        model[1].decode(errors="replace") if model else None,
        url.host,
        url.port or _DEFAULT_PORTS.get(url.scheme),
    )
    emission = emitter.start(target)
    if emission is None:
        return None
    body = _decoded(content) if content is not None and len(content) <= MAX_REQUEST_BYTES else None
    facts = endpoint.protocol.request(body, url.path)
    return Call(endpoint, emission, facts, _resend(request))


def _content(request: Any) -> bytes | None:
    """The request's body, or None for one that is produced while it is sent (a generator, a file)."""
    try:
        content: bytes = request.content
    except Exception:  # noqa: BLE001  (each library has its own RequestNotRead)
        return None
    return content


def _decoded(content: bytes) -> Any:
    try:
        return decode_json(content)
    except ValueError:
        return None


def _resend(request: Any) -> dict[str, AttributeValue]:
    """How many times this call was tried before, as the SDKs that are generated by Stainless tell."""
    count = request.headers.get("x-stainless-retry-count", "0")
    return {sc.HTTP_RESEND_COUNT: int(count)} if count.isdecimal() and int(count) else {}
