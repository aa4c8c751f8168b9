"""The span processor that stamps each span with whom it belongs to, when it starts.

Destinations need it on the span itself, since they see one span at a time: the agent, user and session, the pipeline, and the
nearest GenAI ancestor where spans that destinations do not receive (HTTP, databases) lie between.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import format_span_id, get_current_span
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.identity import Identity, Pipeline, current_identity, pending_link
from otel_llm.others import beside_calls, is_ours, other_of, told_by

_logger = logging.getLogger(__name__)
_TRACES_REMEMBERED = 10_000


class ContextProcessor(SpanProcessor):
    """Stamps agent, user, session, tags, metadata, pipeline and nearest GenAI ancestor. Attributes already there stay."""

    def __init__(self) -> None:
        self._pipelines = _FirstPipelines()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp ``span``; a fault of ours is logged and never raised."""
        try:
            self._stamp(span, get_current() if parent_context is None else parent_context)
        except Exception:
            _logger.exception("A span could not be stamped with its context; it is recorded without")

    def _stamp(self, span: Span, context: Context) -> None:
        if not span.is_recording():
            return
        own, parent, identity = span.attributes or {}, get_current_span(context), current_identity(context)
        above = _attributes_of(parent)
        stamps: dict[str, AttributeValue] = dict(_who(identity))
        agent = identity.agent or above.get(sc.AGENT_NAME)
        if agent and sc.OPERATION_NAME in own:
            stamps[sc.AGENT_NAME] = agent
        stamps.update(self._pipeline(span, above, identity))
        ancestor = _nearest_ancestor(parent, identity)
        if ancestor is not None:
            stamps[sc.ANCESTOR_ID] = ancestor
        if stamps:
            span.set_attributes({key: value for key, value in stamps.items() if key not in own})
        self._told_elsewhere(span, parent)
        link = pending_link(context)
        if link is not None and span.parent is None:
            span.add_link(link)

    def _told_elsewhere(self, span: Span, parent: ApiSpan) -> None:
        """Stamp a span of a call that the span around it tells of already, and remember those that are never around anything."""
        if is_ours(span):
            return
        told = told_by(span, parent)
        if told is not None:
            span.set_attribute(sc.TOLD_BY, format_span_id(told.get_span_context().span_id))
        if not other_of(span).current:
            beside_calls.started(span, parent)

    def _pipeline(self, span: Span, above: Mapping[str, Any], identity: Identity) -> Mapping[str, AttributeValue]:
        """The stamps of the pipeline; ``above`` are the attributes of the parent."""
        if sc.PIPELINE_ID in above:
            return {key: above[key] for key in (sc.PIPELINE_NAME, sc.PIPELINE_ID, sc.PIPELINE_PRIMARY) if key in above}
        pipeline = identity.pipeline
        if pipeline is None and (span.attributes or {}).get(sc.OPERATION_NAME) in (sc.INVOKE_AGENT, sc.INVOKE_WORKFLOW):
            pipeline = self._pipelines.opened_by(span)
        if pipeline is None:
            return {}
        return {
            sc.PIPELINE_NAME: pipeline.name,
            sc.PIPELINE_ID: pipeline.span_id,
            sc.PIPELINE_PRIMARY: pipeline.primary,
        }

    def on_end(self, span: ReadableSpan) -> None:
        """Forget a span that stood beside the calls it tells of; what is stamped is stamped at the start."""
        if not other_of(span).current:
            beside_calls.ended(span)


class _FirstPipelines:
    """Which pipeline was the first of each trace, for the last traces seen."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()

    def opened_by(self, span: Span) -> Pipeline:
        context, own = span.get_span_context(), span.attributes or {}
        name = own.get(sc.WORKFLOW_NAME) or own.get(sc.AGENT_NAME) or span.name.removeprefix("pipeline:")
        remote = span.parent is not None and span.parent.is_remote
        with self._lock:
            first = self._first.setdefault(context.trace_id, context.span_id)
            if len(self._first) > _TRACES_REMEMBERED:
                self._first.popitem(last=False)
        return Pipeline(str(name), format_span_id(context.span_id), not remote and first == context.span_id)


def pipeline_of(span: ApiSpan) -> Pipeline | None:
    """The pipeline stamped on ``span``."""
    stamps = _attributes_of(span)
    if sc.PIPELINE_ID not in stamps:
        return None
    return Pipeline(
        str(stamps.get(sc.PIPELINE_NAME, "")), str(stamps[sc.PIPELINE_ID]), bool(stamps.get(sc.PIPELINE_PRIMARY, True))
    )


def has_ended(span: ApiSpan) -> bool:
    """Whether ``span`` is a span of this process that has ended; work that finds it as its parent has outlived it."""
    return isinstance(span, ReadableSpan) and span.end_time is not None


def ancestor_or_self(span: ApiSpan) -> str | None:
    """Span id of ``span`` if it is a GenAI span, else of the nearest GenAI span above; "" for none, None for unknown."""
    if not isinstance(span, ReadableSpan):
        return None
    attributes = _attributes_of(span)
    if sc.is_genai(attributes):
        return format_span_id(span.context.span_id)
    if sc.ANCESTOR_ID in attributes:
        return str(attributes[sc.ANCESTOR_ID])
    if span.parent is None or span.parent.is_remote:
        return ""
    return format_span_id(span.parent.span_id)


def _nearest_ancestor(parent: ApiSpan, identity: Identity) -> str | None:
    """What to stamp on a child of ``parent``: None where its direct parent is a GenAI span, is unknown, or does not exist."""
    if not parent.get_span_context().is_valid:
        return None
    own_id = format_span_id(parent.get_span_context().span_id)
    nearest = ancestor_or_self(parent) if isinstance(parent, ReadableSpan) else identity.ancestor
    return None if nearest == own_id else nearest


def _who(identity: Identity) -> Mapping[str, AttributeValue]:
    stamps: dict[str, AttributeValue] = {f"{sc.METADATA_PREFIX}{key}": value for key, value in identity.metadata.items()}
    if identity.user_id is not None:
        stamps[sc.USER_ID] = identity.user_id
    if identity.session_id is not None:
        stamps[sc.SESSION_ID] = identity.session_id
    if identity.tags:
        stamps[sc.TAGS] = identity.tags
    return stamps


def _attributes_of(span: ApiSpan) -> Mapping[str, Any]:
    return (span.attributes or {}) if isinstance(span, ReadableSpan) else {}
