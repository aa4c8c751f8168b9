"""Which spans stand above a span, as far as this process knows: asked by destinations that do not receive all of them.

A destination sees one span at a time, and what is above it may not have ended yet, or have gone to nobody. The table is bounded; of a
span that it has forgotten, a destination goes by what is stamped on the span.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm import semconv as sc

_NO_RESOURCE: Final = Resource({})
_SPANS_REMEMBERED: Final = 50_000
#: What is remembered of a span: enough to say of which kind it is and whom it is for, and no content.
MARKS: Final = frozenset(
    {
        sc.OPERATION_NAME,
        sc.PROVIDER_NAME,
        sc.SYSTEM_OLD,
        sc.REQUEST_MODEL,
        sc.RESPONSE_MODEL,
        sc.TOOL_NAME,
        sc.TOLD_BY,
        sc.PROJECT,
        "langfuse.observation.type",
        "openinference.span.kind",
        "traceloop.span.kind",
        "llm.request.type",
        "ai.operationId",
    }
)


class Node:
    """A span in the table. ``above`` is None at the top, or, if ``above_is_known`` is false, for want of knowledge."""

    __slots__ = ("__weakref__", "_attributes", "_decided", "_live", "above", "above_is_known", "context", "scope", "told_by")

    def __init__(self, context: SpanContext, attributes: Mapping[str, Any], scope: InstrumentationScope | None = None) -> None:
        self.context = context
        self.scope = scope
        self.above: Node | None = None
        self.above_is_known = True
        #: The span that tells of the same call, if another one does: it stands for this one.
        self.told_by: Node | None = None
        self._attributes = attributes
        self._live: weakref.ref[Span] | None = None
        self._decided: dict[Hashable, bool] | None = None

    @property
    def marks(self) -> Mapping[str, Any]:
        """Those of :data:`MARKS` that the span has by now."""
        live = self._live() if self._live is not None else None
        return self._attributes if live is None else _marks(live)

    @property
    def open_span(self) -> Span | None:
        """The span itself, until it ends."""
        return self._live() if self._live is not None else None

    @property
    def is_received(self) -> bool:
        """Whether exporters get the span at all, and it is not left out because another one tells of the same call."""
        return self.told_by is None and self.context.trace_flags.sampled

    @property
    def is_genai(self) -> bool:
        """Whether it is a GenAI span by now."""
        live = self._live() if self._live is not None else None
        return sc.is_genai(self._attributes if live is None else live.attributes or {})

    def seen(self) -> ReadableSpan:
        """The span with its marks for attributes."""
        return ReadableSpan("", self.context, attributes=self.marks, resource=_NO_RESOURCE, instrumentation_scope=self.scope)

    def upwards(self) -> Iterator[Node]:
        """The nodes above that exporters get, the nearest first; what tells of a call stands in for what it tells."""
        node = self.above
        while node is not None:
            if node.is_received:
                yield node
            node = node.told_by or node.above

    def open_above(self) -> Iterator[Span]:
        """The spans above that have not ended, the nearest first."""
        node = self.above
        while node is not None:
            live = node._live() if node._live is not None else None
            if live is not None and live.is_recording():
                yield live
            node = node.above

    @property
    def top_is_known(self) -> bool:
        """Whether :meth:`upwards` ends at a root, and not where knowledge ends."""
        node = self
        while (higher := node.told_by or node.above) is not None:
            node = higher
        return node.above_is_known

    def decide(self, whose: Hashable, decision: Callable[[], bool]) -> bool:
        """The first answer that was given to ``whose`` question stays, so that a span and those below it get the same one."""
        if self._decided is None or whose not in self._decided:
            answer = decision()
            with _table.lock:
                if self._decided is None:
                    self._decided = {}
                self._decided.setdefault(whose, answer)
        return self._decided[whose]

    def follow(self, span: Span) -> None:
        """Read marks from the open span, which may get more of them."""
        self._live = weakref.ref(span)

    def settle(self, span: ReadableSpan) -> None:
        """Keep what the ended span came to."""
        self._attributes, self._live = _marks(span), None


class _Table:
    """Nodes by span id. The lock is reentrant since a span may start or end in a finaliser that interrupts this."""

    def __init__(self) -> None:
        self.nodes: OrderedDict[int, Node] = OrderedDict()
        self.renew()

    def renew(self) -> None:
        """A forked child may find the lock held by a thread that it does not have."""
        self.lock = threading.RLock()

    def add(self, node: Node) -> None:
        with self.lock:
            self.nodes[node.context.span_id] = node
            if node.above is not None and node.above.context.span_id in self.nodes:
                self.nodes.move_to_end(node.above.context.span_id)
            if len(self.nodes) > _SPANS_REMEMBERED:
                _, forgotten = self.nodes.popitem(last=False)
                # A chain of spans, each the child of the one before, must not be kept for ever by its end.
                forgotten.above_is_known = forgotten.above is None and forgotten.above_is_known
                forgotten.above = None


_table = _Table()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _table.renew())


def node_of(context: SpanContext | None) -> Node | None:
    """The node of a span, if it is remembered."""
    node = None if context is None else _table.nodes.get(context.span_id)
    return node if node is not None and context is not None and node.context.trace_id == context.trace_id else None


def started(span: Span, above: Node | None, *, above_is_known: bool = True) -> Node:
    """Take a span that starts below ``above`` into the table."""
    node = Node(span.context, {}, span.instrumentation_scope)
    node.above, node.above_is_known = above, above_is_known
    node.follow(span)
    _table.add(node)
    return node


def ended(span: ReadableSpan) -> None:
    """Remember what a span came to."""
    node = node_of(span.context)
    if node is not None:
        node.settle(span)


def elsewhere(span_id: int, beside: SpanContext) -> Node:
    """The node of a GenAI span that this process knows only by its id, in the trace of ``beside``."""
    context = SpanContext(beside.trace_id, span_id, is_remote=beside.is_remote, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    node = Node(context, {sc.OPERATION_NAME: ""})
    node.above_is_known = False
    return node


def unlisted(span: ReadableSpan) -> Node:
    """A node for a span that has been forgotten, or was never stamped."""
    node = Node(span.context, _marks(span), span.instrumentation_scope)
    node.above_is_known = False
    return node


def _marks(span: ReadableSpan) -> Mapping[str, Any]:
    """By going through the span's attributes: to ask them for one that is not there costs an exception."""
    attributes = span.attributes or {}
    return {name: attributes[name] for name in attributes if name in MARKS}
