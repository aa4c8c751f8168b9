"""Which spans go to a Langfuse project, and below which of them each one hangs."""

from __future__ import annotations

from collections import Counter
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from otel_llm import ancestry
from otel_llm import semconv as sc
from otel_llm.dialects import conventional
from otel_llm_langfuse import names
from otel_llm_langfuse.coexistence import OneSender
from otel_llm_langfuse.kinds import observation_type
from otel_llm_langfuse.projects import Route, several_projects
from otel_llm_langfuse.readers import Given
from otel_llm_langfuse.settings import LangfuseSettings
from otel_llm_langfuse.tree import Place, below, place, root

#: Reasons for which spans that the project could have are left out.
DROPPED: Final = "drop"
NOT_SAMPLED: Final = "sample_rate"
SENT_BY_ANOTHER: Final = "sent by another exporter"


class Selection:
    """The spans of one project, whose name is None for the default one. Asked on the delivery's worker."""

    def __init__(self, settings: LangfuseSettings, project: str | None = None) -> None:
        self.route = Route(settings.public_key or "", project, settings.base_url)
        self._sender = OneSender(self.route)
        #: What it is known by to the spans, which outlive it.
        self._mark = object()
        self._all = settings.spans == "all"
        self._drop: frozenset[str] = settings.drop
        self._bound = TraceIdRatioBased.get_bound_for_rate(settings.sample_rate)
        #: Number of spans left out, by reason.
        self.left_out: Counter[str] = Counter()

    def wants(self, span: ReadableSpan) -> bool:
        """Whether ``span`` goes to this project."""
        if not self._concerns(span) or not self.route.leads_here(span):
            return False
        reason = self._reason_against(span)
        if reason is not None:
            self.left_out[reason] += 1
        return reason is None

    def place(self, span: ReadableSpan, given: Given) -> Place:
        """Below the nearest ancestor that goes to this project; a root if there is none.

        By what is stamped on the span, where that says it all: where direct parents are GenAI spans and no kind is dropped.
        """
        stamped = self._real_place(span) if self._all else place(span, given)
        if span.parent is None or not (self._all or self._drop or sc.ANCESTOR_ID in given or several_projects()):
            return stamped
        node = ancestry.node_of(span.context)
        if node is None:
            return stamped
        found = next((higher for higher in node.upwards() if self._receives(higher, span)), None)
        if found is not None:
            return Place(below(span.parent, found.context.span_id))
        return root() if node.top_is_known else stamped

    def close(self) -> None:
        """Leave all spans to others."""
        self._sender.close()
        self.route.close()

    def _concerns(self, span: ReadableSpan) -> bool:
        """Whether ``span`` is of the kind of spans that are sent.

        A call that another library's span tells of already is left out: it would be counted twice.
        """
        if sc.TOLD_BY in (span.attributes or {}):
            return False
        scope = span.instrumentation_scope
        is_of_sdk = scope is not None and scope.name == names.SDK_SCOPE
        return self._all or is_of_sdk or sc.is_genai(span.attributes or {})

    def _reason_against(self, span: ReadableSpan) -> str | None:
        if span.context is None:
            return None
        if span.context.trace_id & TraceIdRatioBased.TRACE_ID_LIMIT >= self._bound:
            return NOT_SAMPLED
        node = ancestry.node_of(span.context) if self._drop else None
        if node is not None and self._drops(node, span):
            return DROPPED
        return None if self._sender.sends(span) else SENT_BY_ANOTHER

    def _receives(self, node: ancestry.Node, asking: ReadableSpan) -> bool:
        seen = node.seen()
        return self._concerns(seen) and self.route.owns(seen, asking.resource) and not self._drops(node, seen)

    def _drops(self, node: ancestry.Node, span: ReadableSpan) -> bool:
        """Said once for each span, be it asked for itself or by one below it: its kind may change until it ends."""
        if not self._drop:
            return False
        return node.decide(self._mark, lambda: observation_type(conventional(span)) in self._drop)

    def _real_place(self, span: ReadableSpan) -> Place:
        return Place(span.parent, root().attributes if span.parent is not None and span.parent.is_remote else {})
