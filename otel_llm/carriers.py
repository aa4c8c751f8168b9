"""Where work belongs, in a form that can be handed over with it: through a queue, to a thread, to another process or service."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    format_span_id,
    format_trace_id,
    get_current_span,
)

from otel_llm import semconv as sc
from otel_llm.attachment import Attachment
from otel_llm.identity import Identity, current_identity, pending_link, whole_identity, with_identity, with_link
from otel_llm.processor import pipeline_of
from otel_llm.projects import named_project
from otel_llm.surroundings import nearest, place_of, what_is_above

#: ``child``: below the span of that time, in its trace. ``link``: a trace of its own, linked to that span, for the same identity.
AttachMode: TypeAlias = Literal["child", "link"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where work belongs, to be handed over with it. Can be pickled, and tells nothing but what it shows."""

    #: 0: below no span.
    trace_id: int
    span_id: int
    trace_flags: int
    trace_state: str
    #: For whom, by which agent, in which pipeline, below which GenAI span; None where nobody has said: whoever attaches it says.
    identity: Identity | None
    #: The work is not below the span, but in traces of its own that are linked to it.
    is_link: bool = False

    @property
    def traceparent(self) -> str | None:
        """The span that work is below, as W3C Trace Context writes it for headers and message attributes; None if there is none."""
        if not self.trace_id or self.is_link:
            return None
        return f"00-{format_trace_id(self.trace_id)}-{format_span_id(self.span_id)}-{self.trace_flags:02x}"

    def attach(self, mode: AttachMode = "child") -> AbstractContextManager[object]:
        """Do the work of this block where the carrier was made: its spans become children of the span of that time.

        With ``mode="link"`` its outermost spans begin traces of their own, linked to that span, for the same user, session, tags and
        agent: for work that is done much later, or retried, or for work that has a life of its own.

        Raises ValueError for another mode.
        """
        if mode not in ("child", "link"):
            raise ValueError(f"mode must be 'child' or 'link', not {mode!r}")
        return Attachment(self._linked() if mode == "link" or self.is_link else self._below())

    def _below(self) -> Context:
        context = with_identity(self._who(), Context())
        if not self.trace_id:
            return context
        return trace.set_span_in_context(NonRecordingSpan(self._span_context()), context)

    def _linked(self) -> Context:
        return linked_root(self._who(), self._span_context(), Context())

    def _who(self) -> Identity:
        return in_no_place(current_identity()) if self.identity is None else self.identity

    def _span_context(self) -> SpanContext:
        return SpanContext(
            self.trace_id,
            self.span_id,
            is_remote=True,
            trace_flags=TraceFlags(self.trace_flags),
            trace_state=TraceState.from_header([self.trace_state] if self.trace_state else []),
        )


def capture() -> Carrier:
    """Take along where the current work belongs: trace, agent, user, session, pipeline, project and prompt."""
    current = otel_context.get_current()
    span, link = get_current_span(current).get_span_context(), pending_link(current)
    if span.is_valid or link is None:
        return carrier_of(span, identity_here(current))
    return carrier_of(link, identity_here(current), is_link=True)


def carrier_of(span: SpanContext, identity: Identity | None, *, is_link: bool = False) -> Carrier:
    """A carrier below ``span``, which may be the invalid one, or linked to it."""
    return Carrier(span.trace_id, span.span_id, int(span.trace_flags), span.trace_state.to_header(), identity, is_link)


def identity_here(current: Context) -> Identity:
    """All that spans which start in ``current`` would learn of it and of the spans above, for where those are out of reach."""
    span, identity = get_current_span(current), whole_identity(current)
    context, above = span.get_span_context(), what_is_above(span, identity, current)
    found = above.node and nearest(above.node)
    return replace(
        identity,
        metadata=dict(identity.metadata),
        attributes=dict(identity.attributes),
        agent=identity.agent or _text(above.attributes.get(sc.AGENT_NAME)),
        project=identity.project or named_project(above.attributes),
        pipeline=pipeline_of(above.attributes) or identity.pipeline,
        ancestor=format_span_id(found.context.span_id) if found else "" if above.is_known and context.is_valid else None,
        captured_at=place_of(context),
    )


def linked_root(identity: Identity, target: SpanContext, context: Context) -> Context:
    """``context`` in which spans begin traces of their own, linked to ``target``, of no pipeline but their own."""
    context = trace.set_span_in_context(trace.INVALID_SPAN, with_identity(in_no_place(identity), context))
    return with_link(target, context) if target.is_valid else context


def in_no_place(identity: Identity) -> Identity:
    """``identity`` without what holds only below the spans where it was taken."""
    return replace(identity, pipeline=None, ancestor=None, captured_at=None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
