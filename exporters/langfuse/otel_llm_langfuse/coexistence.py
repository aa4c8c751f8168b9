"""One sender for each span, where others in this process send to the same Langfuse project: its SDK, or a destination like this one.

A span sent twice is one row in the end, but which version stays is chance, and its tokens and cost count twice until Langfuse has
merged the two. The SDK's span processor keeps what it sent before otel-llm came: the spans of its own clients, and others' that its
predicate lets through. otel-llm's are otel-llm's to send, since the SDK would send them unmapped, and so are spans of other projects.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from typing import Final
from weakref import WeakSet

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm import semconv as sc
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.version import SCOPE
from otel_llm_langfuse.projects import Route
from otel_llm_langfuse.sdk_processors import Rival, SDKProcessors, is_shared

_logger = logging.getLogger(__name__)
_SPANS_REMEMBERED: Final = 50_000


class OneSender:
    """Decides for one destination which spans it sends."""

    def __init__(self, route: Route) -> None:
        self.route = route
        is_shared_now = any(other.route.public_key == route.public_key for other in list(_open))
        (_shared.add if is_shared_now else _shared.discard)(route.public_key)
        _open.add(self)
        look()

    def sends(self, span: ReadableSpan) -> bool:
        """Whether this destination is the one that sends ``span``; the same answer each time."""
        look()
        if any(self._leaves(span, rival) for rival in _sdk.rivals):
            return False
        if self.route.public_key not in _shared or span.context is None:
            return True
        if _taken.by(self, span.context.trace_id, span.context.span_id):
            return True
        if _log_limit.due("twice"):
            _logger.warning(_TWICE, self.route.name)
        return False

    def close(self) -> None:
        """Leave all spans to others."""
        _open.discard(self)

    def _leaves(self, span: ReadableSpan, rival: Rival) -> bool:
        if rival.public_key != self.route.public_key or not rival.sees(span):
            return False
        _warn(rival, self.route.name)
        return not (rival.gives_way and _is_for_us(span, self.route)) and rival.would_send(span)


class _Taken:
    """Which destination has taken which of the last spans."""

    def __init__(self) -> None:
        self._by: OrderedDict[tuple[int, int], OneSender] = OrderedDict()
        self._lock = threading.Lock()

    def by(self, asking: OneSender, trace_id: int, span_id: int) -> bool:
        """Whether a span is taken by ``asking``: the first to ask has it."""
        with self._lock:
            sender = self._by.setdefault((trace_id, span_id), asking)
            if len(self._by) > _SPANS_REMEMBERED:
                self._by.popitem(last=False)
        return sender is asking


def look() -> None:
    """See whether processors of Langfuse's SDK have come. Called as each span starts, so that they are known when it ends."""
    senders = list(_open)
    if not senders:
        return
    with _looking:
        come = _sdk.look({sender.route.public_key for sender in senders})
    for rival in come:
        sender = next((one for one in senders if one.route.public_key == rival.public_key), None)
        if sender is not None and is_shared(rival.provider):
            _warn(rival, sender.route.name)


def _is_for_us(span: ReadableSpan, route: Route) -> bool:
    """Spans that the SDK's processor leaves to otel-llm: otel-llm's, those told of by another span, and those of other projects."""
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        return True
    return sc.TOLD_BY in (span.attributes or {}) or not route.owns(span, span.resource)


def _claimed(public_key: str, span: ReadableSpan) -> bool:
    return any(one.route.public_key == public_key and _is_for_us(span, one.route) for one in list(_open))


def _warn(rival: Rival, name: str) -> None:
    """Once for each processor, and not of one that leaves out otel-llm's spans as it is."""
    if rival.is_known or not rival.would_send(_EXAMPLE):
        return
    rival.is_known = True
    _logger.warning(_MEETING if rival.gives_way else _MEETING_OF_UNKNOWN, name)


_open: WeakSet[OneSender] = WeakSet()
#: Public keys of projects that several destinations of this process send to, or did until all but one of them were closed.
_shared: set[str] = set()
_taken = _Taken()
_sdk = SDKProcessors(_claimed)
_looking = threading.RLock()
_log_limit = LogLimit(time.monotonic)

_EXAMPLE: Final = ReadableSpan(
    name="chat", attributes={sc.OPERATION_NAME: sc.CHAT}, instrumentation_scope=InstrumentationScope(SCOPE)
)
_CURE: Final = (
    "To have all of them mapped, let the SDK send by otel-llm, Langfuse(span_exporter=LangfuseExporter()), or give it a provider of "
    "its own for scores and prompts, Langfuse(tracer_provider=TracerProvider())."
)
_MEETING: Final = (
    "%s: Langfuse's SDK sends to the same project from the same tracer provider. Each span is sent once: otel-llm's by otel-llm, "
    "others by the SDK, as they are. " + _CURE
)
_MEETING_OF_UNKNOWN: Final = (
    "%s: Langfuse's SDK sends to the same project from the same tracer provider, and this version of it cannot be asked to leave "
    "anything out, so the spans of this provider are left to it. " + _CURE
)
_TWICE: Final = (
    "%s: a span has come by two exporters that send to the same Langfuse project, configure() and LangfuseExporter() perhaps. "
    "It is sent once; remove one of the two."
)
