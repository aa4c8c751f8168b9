"""One exchange being recorded: from its request to its end, whatever that is, once only."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Hashable, Iterable
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.types import AttributeValue

from otel_llm import failure_category
from otel_llm import semconv as sc
from otel_llm.answer import Answer
from otel_llm.attempts import FailedAttempts
from otel_llm.emit import Emission, Emitter, Outcome, Target
from otel_llm.endpoints import Endpoint, recognise
from otel_llm.failure import describe, error_type
from otel_llm.guard import guarded
from otel_llm.open_calls import OpenCalls
from otel_llm.protocols import RequestFacts, ResponseFacts
from otel_llm.protocols.framing import decode_json
from otel_llm.response_headers import header_attributes

#: Request bodies above this many bytes are not read: what they hold is left out, the call is still recorded.
MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
_PEEK = 2048
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
#: Providers that have both of OpenAI's APIs for chat, and which of them a protocol is.
_OPENAI: Final = frozenset({"openai", "azure.ai.openai"})
_API_TYPES: Final = {"openai_chat": "chat_completions", "openai_responses": "responses"}
_DEFAULT_PORTS = {"https": 443, "http": 80}

open_calls = OpenCalls()
failed_attempts = FailedAttempts()


class Call:
    """An exchange while it is being recorded. Implements :class:`otel_llm.tee.Reader`; no method raises."""

    def __init__(
        self,
        endpoint: Endpoint,
        emission: Emission,
        request: RequestFacts,
        *,
        sent: _Sent | None = None,
        tries_before: int = 0,
    ) -> None:
        self.context: Context | None = emission.context
        self.heard_at = time.monotonic()
        self._endpoint = endpoint
        self._emission = emission
        self._request = request
        self._sent = sent
        self._tries_before = tries_before
        self._exchange: dict[str, AttributeValue] = {sc.HTTP_RESEND_COUNT: tries_before} if tries_before else {}
        self._answer: Answer | None = None
        self._status = 0
        self._started = time.perf_counter()
        self._first_chunk_s: float | None = None
        self._once = threading.Lock()
        open_calls.add(self)

    @guarded
    def answered(self, status: int, content_type: str, coding: str, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """The response's head has arrived."""
        self._status = status
        self._answer = Answer(self._endpoint.protocol, content_type, coding)
        self._exchange |= header_attributes(fields)

    @guarded
    def received(self, piece: bytes) -> None:
        """A piece of the body has arrived; the piece that completes the answer also ends the call."""
        answer = self._answer
        if answer is None or self._once.locked():
            return
        self.heard_at = time.monotonic()
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
        self._exchange[sc.ERROR_CATEGORY] = failure_category.of_exception(type(error).__name__)
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
        self._exchange[sc.ENDING] = self._exchange[sc.ERROR_CATEGORY] = sc.ABANDONED
        self._finish(self._facts())

    def _facts(self) -> ResponseFacts:
        """What is known of the answer; a fault in reading it costs these facts, and the call ends all the same."""
        return _response_facts(self._answer) or ResponseFacts()

    def _finish(self, response: ResponseFacts, failure: str | None = None) -> None:
        open_calls.discard(self)
        if failure is None and (self._status >= 400 or response.error is not None):
            failure = self._refused(response)
        if failure is not None and self._sent is not None:
            failed_attempts.failed(self._sent.key(), self._tries_before)
        self._emission.finish(Outcome(self._request, response, self._exchange, failure, self._first_chunk_s))

    def _refused(self, response: ResponseFacts) -> str:
        """The provider's own words for an error, in the status or inside a 200 body."""
        error = response.error
        kind = error.type if error is not None else sc.OTHER
        if self._status >= 400:
            self._exchange[sc.HTTP_STATUS_CODE] = self._status
            kind = str(self._status) if kind == sc.OTHER else kind
        message = error.message if error is not None else None
        self._exchange[sc.ERROR_TYPE] = kind
        self._exchange[sc.ERROR_CATEGORY] = failure_category.of_answer(self._status, kind, message)
        return message or f"HTTP {self._status}"


def start(emitter: Emitter, request: Any) -> Call | None:
    """Begin to record ``request`` (of httpx or httpx2), or None if it is no LLM call or nothing records it."""
    url = request.url
    endpoint = recognise(request.method, url.host, url.path, url.port)
    if endpoint is None:
        return None
    return begin(
        emitter,
        endpoint,
        content=_content(request),
        host=url.host,
        port=url.port or _DEFAULT_PORTS.get(url.scheme),
        path=url.path,
        retried=request.headers.get("x-stainless-retry-count"),
    )


def begin(
    emitter: Emitter,
    endpoint: Endpoint,
    *,
    content: bytes | None,
    host: str,
    port: int | None,
    path: str,
    retried: str | None = None,
) -> Call | None:
    """Begin to record an exchange with ``endpoint``; ``content`` is None for a body that cannot be read before it is sent.

    ``retried`` is the count of earlier tries, as SDKs that are generated by Stainless tell it.
    """
    if not endpoint.certain and content is not None and not endpoint.protocol.matches(_decoded(content)):
        return None
    model = _MODEL.search(content[:_PEEK]) or _MODEL.search(content[-_PEEK:]) if content else None
    name = model[1].decode(errors="replace") if model else endpoint.protocol.request(None, path).model
    span_id = trace.get_current_span().get_span_context().span_id
    emission = emitter.start(Target(endpoint.provider, endpoint.protocol.operation, name, host, port))
    if emission is None:
        return None
    facts = _request_facts(endpoint, content, path) or RequestFacts(endpoint.protocol.operation, name)
    if endpoint.provider in _OPENAI and endpoint.protocol.name in _API_TYPES:
        facts.attributes[sc.OPENAI_API_TYPE] = _API_TYPES[endpoint.protocol.name]
    sent = _Sent(span_id, host, path, content) if content else None
    return Call(endpoint, emission, facts, sent=sent, tries_before=_tries_before(retried, sent))


@guarded
def _request_facts(endpoint: Endpoint, content: bytes | None, path: str) -> RequestFacts:
    body = _decoded(content) if content is not None and len(content) <= MAX_REQUEST_BYTES else None
    return endpoint.protocol.request(body, path)


@guarded
def _response_facts(answer: Answer | None) -> ResponseFacts:
    return ResponseFacts() if answer is None else answer.facts()


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


class _Sent:
    """What was sent, from within which span, to where."""

    __slots__ = ("_content", "_where")

    def __init__(self, span_id: int, host: str, path: str, content: bytes) -> None:
        self._where = (span_id, host, path)
        self._content = content

    def key(self) -> Hashable:
        """The same for the same request. Reads the whole body, so it is asked for only once something has failed."""
        return (*self._where, len(self._content), hash(self._content))


def _tries_before(retried: str | None, sent: _Sent | None) -> int:
    if retried is not None and retried.isdecimal():
        return int(retried)
    return failed_attempts.before(sent.key()) if failed_attempts and sent is not None else 0
