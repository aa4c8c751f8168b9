"""What has been sent of the last traces.

An annotation of a trace whose topmost span has ended must repeat its name and metadata. And Langfuse's newer write path shows of a
trace the tags of the last span that has any: so the topmost span, and what ends after it, tell those of all spans before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm import semconv as sc
from otel_llm.span_copies import copy_with
from otel_llm.version import __version__
from otel_llm_langfuse import names
from otel_llm_langfuse.trace import TAGGING, tags_of

#: Scope of the spans that are annotations.
ANNOTATION: Final = InstrumentationScope("otel_llm.annotation", __version__)
_TRACES_REMEMBERED: Final = 10_000
#: Of one trace.
_TAGS_REMEMBERED: Final = 100


class _Known(NamedTuple):
    """The name of a trace, and its metadata by attribute name."""

    name: str
    metadata: Mapping[str, Any]


class SentTraces:
    """What one destination has sent of its last traces. Used by the delivery's worker alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Known] = OrderedDict()
        #: The tags of the spans of a trace so far; a mapping for its order.
        self._tags: OrderedDict[int, dict[str, None]] = OrderedDict()

    def completed(self, span: ReadableSpan) -> ReadableSpan:
        """An annotation, a topmost span and what ends after that with what is known of their trace; any other span as it is."""
        if span.context is None:
            return span
        attributes = span.attributes or {}
        if span.instrumentation_scope is not ANNOTATION:
            if span.parent is None or attributes.get(sc.ANCESTOR_ID) == "":
                self._remember(span.context.trace_id, _name(span, attributes), _metadata(attributes))
            return self._tagged(span, span.context.trace_id, attributes)
        known = self._known.get(span.context.trace_id)
        if known is None:
            return span
        known = self._remember(span.context.trace_id, known.name, _metadata(attributes))
        return _at_the_top(span, {**attributes, names.TRACE_NAME: known.name, **known.metadata})

    def _tagged(self, span: ReadableSpan, trace_id: int, attributes: Mapping[str, Any]) -> ReadableSpan:
        # By going through the attributes: to ask them for one that is not there costs an exception.
        own = tags_of({name: attributes[name] for name in attributes if name in TAGGING})
        known = self._tags.get(trace_id, {})
        if own:
            known = self._tags[trace_id] = {**known, **dict.fromkeys(own[: _TAGS_REMEMBERED - len(known)])}
            self._tags.move_to_end(trace_id)
            if len(self._tags) > _TRACES_REMEMBERED:
                self._tags.popitem(last=False)
        if trace_id not in self._known or known.keys() <= set(own):
            return span
        return copy_with(span, attributes={**attributes, names.TRACE_TAGS: tuple(dict.fromkeys([*own, *known]))})

    def _remember(self, trace_id: int, name: str, metadata: Mapping[str, Any]) -> _Known:
        before = self._known.get(trace_id)
        known = _Known(before.name, {**before.metadata, **metadata}) if before else _Known(name, metadata)
        self._known[trace_id] = known
        self._known.move_to_end(trace_id)
        if len(self._known) > _TRACES_REMEMBERED:
            self._known.popitem(last=False)
        return known


def _at_the_top(span: ReadableSpan, attributes: Mapping[str, Any]) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        context=span.context,
        resource=span.resource,
        attributes=attributes,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _name(span: ReadableSpan, attributes: Mapping[str, Any]) -> str:
    return str(attributes.get(names.TRACE_NAME) or attributes.get(sc.PIPELINE_NAME) or span.name)


def _metadata(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata of the trace, by the names that Langfuse reads."""
    return {
        name.replace(sc.METADATA_PREFIX, names.TRACE_METADATA_PREFIX, 1): value
        for name, value in attributes.items()
        if name.startswith((sc.METADATA_PREFIX, names.TRACE_METADATA_PREFIX))
    }
