"""One sender for each span, where others in this process send to the same Langfuse project: its SDK, or a destination like this one.

A span sent twice is one row in the end, but which version stays is chance, and its tokens and cost count twice until Langfuse has
merged the two. The SDK's span processor keeps what it sent before otel-llm came: the spans of its own clients, and others' that its
predicate lets through. otel-llm's are otel-llm's to send, since the SDK would send them unmapped, and so are spans of other projects.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from weakref import WeakValueDictionary

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm import semconv as sc
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.version import SCOPE
from otel_llm_langfuse.in_use import InUse
from otel_llm_langfuse.projects import Route
from otel_llm_langfuse.sdk_processors import Rival, SDKProcessors, is_shared

_logger = logging.getLogger(__name__)
_SPANS_REMEMBERED: Final = 50_000
#: Seconds for which it is remembered which spans a destination took that is closed by now: others may still have them in a queue.
_REMEMBERED_S: Final = 60.0


class OneSender:
    """Decides for one destination which spans it sends."""

    def __init__(self, route: Route) -> None:
        self.route = route
        #: What it is known by to the claims, which outlive it.
        self._mark = object()
        self._claims = _claims_of(route)
        self._claims.senders.add(self)
        _open.add(self)
        look()

    def sends(self, span: ReadableSpan) -> bool:
        """Whether this destination is the one that sends ``span``; the same answer each time."""
        look()
        if any(self._leaves(span, rival) for rival in _sdk.rivals):
            return False
        if span.context is None or self._claims.gives(self._mark, span.context.trace_id, span.context.span_id):
            return True
        if _log_limit.due("twice"):
            _logger.warning(_TWICE, self.route.name)
        return False

    def close(self) -> None:
        """Leave all spans to others."""
        _open.discard(self)
        self._claims.senders.discard(self)

    def _leaves(self, span: ReadableSpan, rival: Rival) -> bool:
        if rival.public_key != self.route.public_key or not rival.sees(span):
            return False
        _warn(rival, self.route.name)
        return not (rival.gives_way and _is_for_us(span, self.route)) and rival.would_send(span)


class Claims:
    """Which destination of one Langfuse project has taken which of the last spans. Nothing is kept where there is only one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        #: The destinations of this project that are open.
        self.senders: InUse[object] = InUse()
        self._clock = clock
        self._by: OrderedDict[tuple[int, int], object] = OrderedDict()
        self._kept_until = float("-inf")

    def gives(self, asking: object, trace_id: int, span_id: int) -> bool:
        """Whether ``asking`` may send a span: the first to ask has it.

        Each step is atomic, so that no lock is needed, which a forked child might find held.
        """
        if not self._are_needed():
            return True
        sender = self._by.setdefault((trace_id, span_id), asking)
        if len(self._by) > _SPANS_REMEMBERED:
            self._by.popitem(last=False)
        return sender is asking

    def _are_needed(self) -> bool:
        now = self._clock()
        if len(self.senders.all()) > 1:
            self._kept_until = now + _REMEMBERED_S
        elif now > self._kept_until:
            self._by.clear()
        return now <= self._kept_until


def _claims_of(route: Route) -> Claims:
    """The same for all destinations of a project, which is told by its address and key: servers may share a key."""
    with _looking:
        return _claims.setdefault((route.base_url, route.public_key), Claims())


def look() -> None:
    """See whether processors of Langfuse's SDK have come. Called as each span starts, so that they are known when it ends."""
    senders = _open.all()
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
    return any(one.route.public_key == public_key and _is_for_us(span, one.route) for one in _open.all())


def _warn(rival: Rival, name: str) -> None:
    """Once for each processor, and not of one that leaves out otel-llm's spans as it is."""
    if rival.is_known or not rival.would_send(_EXAMPLE):
        return
    rival.is_known = True
    _logger.warning(_MEETING if rival.gives_way else _MEETING_OF_UNKNOWN, name)


_open: InUse[OneSender] = InUse()
#: By address and public key; each lives as long as a destination of its project.
_claims: WeakValueDictionary[tuple[str, str], Claims] = WeakValueDictionary()
_sdk = SDKProcessors(_claimed)
_looking = threading.RLock()


def _renew_lock() -> None:
    """A forked child may find the lock held by a thread that it does not have."""
    global _looking
    _looking = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

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
