"""The span processor that stamps each span with whom it belongs to, when it starts.

Destinations need it on the span itself, since they see one span at a time: the agent, user and session, the pipeline, and the
nearest GenAI ancestor where spans that destinations do not receive (HTTP, databases) lie between.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import format_span_id, get_current_span
from opentelemetry.util.types import AttributeValue

from otel_llm import ancestry
from otel_llm import semconv as sc
from otel_llm.identity import Identity, Pipeline, pending_link, whole_identity
from otel_llm.others import beside_calls, is_ours, other_of, told_by
from otel_llm.pipelines import FirstPipelines
from otel_llm.projects import project_of
from otel_llm.surroundings import Above, ancestor_stamp, nearest, what_is_above

_logger = logging.getLogger(__name__)


class ContextProcessor(SpanProcessor):
    """Stamps agent, user, session, tags, metadata, pipeline and nearest GenAI ancestor. Attributes already there stay."""

    def __init__(self) -> None:
        self._pipelines = FirstPipelines()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp ``span``; a fault of ours is logged and never raised."""
        try:
            self._stamp(span, get_current() if parent_context is None else parent_context)
        except Exception:
            _logger.exception("A span could not be stamped with its context; it is recorded without")

    def _stamp(self, span: Span, context: Context) -> None:
        if not span.is_recording():
            return
        own, parent, identity = span.attributes or {}, get_current_span(context), whole_identity(context)
        above = what_is_above(parent, identity, context)
        node = ancestry.started(span, above.node, above_is_known=above.is_known)
        stamps: dict[str, AttributeValue] = dict(_who(identity))
        project = project_of(span, identity.project, above.attributes)
        if project is not None:
            stamps[sc.PROJECT] = project
        agent = identity.agent or above.attributes.get(sc.AGENT_NAME)
        if agent and sc.OPERATION_NAME in own:
            stamps[sc.AGENT_NAME] = agent
        if identity.prompt is not None and own.get(sc.OPERATION_NAME) in sc.INFERENCE_OPERATIONS:
            stamps[sc.PROMPT_NAME], stamps[sc.PROMPT_VERSION] = identity.prompt
        found = None if above.node is None else nearest(above.node)
        ancestor = ancestor_stamp(parent, above, found)
        if ancestor is not None:
            stamps[sc.ANCESTOR_ID] = ancestor
        stamps.update(self._pipeline(span, above, identity, is_topmost=found is None))
        if stamps:
            span.set_attributes({key: value for key, value in stamps.items() if key not in own})
        self._told_elsewhere(span, parent, node)
        link = pending_link(context)
        if link is not None and span.parent is None:
            span.add_link(link)

    def _told_elsewhere(self, span: Span, parent: ApiSpan, node: ancestry.Node) -> None:
        """Stamp a span of a call that the span around it tells of already, and remember those that are never around anything."""
        if is_ours(span):
            return
        told = told_by(span, parent)
        if told is not None:
            span.set_attribute(sc.TOLD_BY, format_span_id(told.get_span_context().span_id))
            node.told_by = ancestry.node_of(told.get_span_context())
        if not other_of(span).current:
            beside_calls.started(span, parent)

    def _pipeline(self, span: Span, above: Above, identity: Identity, *, is_topmost: bool) -> Mapping[str, AttributeValue]:
        """The stamps of the pipeline, and of the trace's name where the span does not get it from its own pipeline."""
        if sc.PIPELINE_ID in above.attributes:
            return {name: above.attributes[name] for name in _PIPELINE if name in above.attributes}
        pipeline = identity.pipeline
        own, stamps = span.attributes or {}, dict[str, AttributeValue]()
        if pipeline is None and own.get(sc.OPERATION_NAME) in (sc.INVOKE_AGENT, sc.INVOKE_WORKFLOW):
            pipeline = self._pipelines.opened_by(span)
            if pipeline.primary:
                _name_trace(pipeline.name, ancestry.node_of(span.context))
        if pipeline is not None:
            stamps = {
                sc.PIPELINE_NAME: pipeline.name,
                sc.PIPELINE_ID: pipeline.span_id,
                sc.PIPELINE_PRIMARY: pipeline.primary,
            }
        if is_topmost and (pipeline is None or not pipeline.primary) and sc.is_genai(own):
            name = self._pipelines.name_of_trace(span)
            stamps |= {} if name is None else {sc.TRACE_NAME: name}
        return stamps

    def on_end(self, span: ReadableSpan) -> None:
        """Remember what the span came to, for those below it; what is stamped is stamped at the start."""
        try:
            ancestry.ended(span)
            if not other_of(span).current:
                beside_calls.ended(span)
        except Exception:
            _logger.exception("What a span came to could not be remembered for those below it")


_PIPELINE = (sc.PIPELINE_NAME, sc.PIPELINE_ID, sc.PIPELINE_PRIMARY)


def _name_trace(name: str, node: ancestry.Node | None) -> None:
    """Have the spans above a trace's first pipeline know the trace's name: where all spans are sent, the topmost of them gives it."""
    for span in () if node is None else node.open_above():
        if sc.TRACE_NAME not in (span.attributes or {}):
            span.set_attribute(sc.TRACE_NAME, name)


def pipeline_of(attributes: Mapping[str, Any]) -> Pipeline | None:
    """The pipeline that is stamped on the span with these attributes."""
    if sc.PIPELINE_ID not in attributes:
        return None
    name, span_id = str(attributes.get(sc.PIPELINE_NAME, "")), str(attributes[sc.PIPELINE_ID])
    return Pipeline(name, span_id, bool(attributes.get(sc.PIPELINE_PRIMARY, True)))


def has_ended(span: ApiSpan) -> bool:
    """Whether ``span`` is a span of this process that has ended; work that finds it as its parent has outlived it."""
    return isinstance(span, ReadableSpan) and span.end_time is not None


def _who(identity: Identity) -> Mapping[str, AttributeValue]:
    stamps: dict[str, AttributeValue] = dict(identity.attributes)
    stamps.update({f"{sc.METADATA_PREFIX}{key}": value for key, value in identity.metadata.items()})
    if identity.user_id is not None:
        stamps[sc.USER_ID] = identity.user_id
    if identity.session_id is not None:
        stamps[sc.SESSION_ID] = identity.session_id
    if identity.tags:
        stamps[sc.TAGS] = identity.tags
    return stamps
