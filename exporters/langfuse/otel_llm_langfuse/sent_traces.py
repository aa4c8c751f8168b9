"""What has been sent of the last traces: an annotation of a trace whose topmost span has ended must repeat it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm import semconv as sc
from otel_llm.version import __version__
from otel_llm_langfuse import names

#: Scope of the spans that are annotations.
ANNOTATION: Final = InstrumentationScope("otel_llm.annotation", __version__)
_TRACES_REMEMBERED: Final = 10_000


class _Known(NamedTuple):
    """The name of a trace, and its metadata by attribute name."""

    name: str
    metadata: Mapping[str, Any]


class SentTraces:
    """What one destination has sent of its last traces. Used by the delivery's worker alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def completed(self, span: ReadableSpan) -> ReadableSpan:
        """An annotation with what is known of its trace; any other span as it is, and remembered if it is a topmost one."""
        if span.context is None:
            return span
        attributes = span.attributes or {}
        if span.instrumentation_scope is not ANNOTATION:
            if span.parent is None or attributes.get(sc.ANCESTOR_ID) == "":
                self._remember(span.context.trace_id, _name(span, attributes), _metadata(attributes))
            return span
        known = self._known.get(span.context.trace_id)
        if known is None:
            return span
        known = self._remember(span.context.trace_id, known.name, _metadata(attributes))
        return _at_the_top(span, {**attributes, names.TRACE_NAME: known.name, **known.metadata})

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
