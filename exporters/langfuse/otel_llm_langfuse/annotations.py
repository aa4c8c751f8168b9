"""Metadata of a trace that is known late: a decision, how sure it was, what came of it.

Langfuse puts a trace's metadata together in two ways. Its older write path merges that of all spans that carry some, key by key, and
takes the trace's name from each span without a parent. Its newer one shows that of the last written span without a parent, whole. So
while the topmost span is open, metadata goes onto it; later it goes out with an observation of type EVENT that has no parent, but the
trace's name and all the metadata that it had. Of a trace that this process has not sent, neither is known: there the event hangs below
the trace's other observations. The older path still merges its metadata into the trace; the newer one has it on the event alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm_langfuse import names
from otel_llm_langfuse.current import Here, current_trace_id, here, hex_id, is_disabled, process_resource, topmost_open
from otel_llm_langfuse.deliveries import deliver, project_for
from otel_llm_langfuse.sent_traces import ANNOTATION
from otel_llm_langfuse.settings import LangfuseSettings

_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_ids: Final = RandomIdGenerator()


def annotate(
    metadata: Mapping[str, Any] | None = None,
    /,
    *,
    trace_id: str | int | None = None,
    settings: LangfuseSettings | None = None,
    **more: Any,
) -> None:
    """Add metadata to the current trace, or to the one that is named, also when it has ended. Values are those of JSON.

    Raises ValueError where there is nothing to add or no trace, and, once the topmost span has ended, ConfigurationError if nothing
    delivers to Langfuse. ``settings`` says which project where there are several.
    """
    added = {f"{names.TRACE_METADATA_PREFIX}{key}": _text(value) for key, value in {**(metadata or {}), **more}.items()}
    if not added:
        raise ValueError("there is no metadata to add: give keys and values")
    place = here()
    named = hex_id(trace_id, 32) or current_trace_id(place)
    if is_disabled():
        return
    inside = place if place is not None and place.trace_id == named else None
    top = topmost_open() if inside is not None else None
    if top is not None:
        top.set_attributes(added)
    elif inside is None or inside.context.trace_flags.sampled:
        project = project_for(settings, inside)
        told = {**added, **({} if project is None else {sc.PROJECT: project})}
        deliver(_event(_trace_number(named), told, inside), settings)


def _event(trace_id: int, told: Mapping[str, str], inside: Here | None) -> ReadableSpan:
    """An event below what it was said in, or below an observation that does not exist."""
    now = time.time_ns()
    above = inside.observation_id if inside is not None else None
    parent_id = int(above, 16) if above is not None else _ids.generate_span_id()
    return ReadableSpan(
        "annotation",
        context=SpanContext(trace_id, _ids.generate_span_id(), is_remote=False, trace_flags=_SAMPLED),
        parent=SpanContext(trace_id, parent_id, is_remote=False, trace_flags=_SAMPLED),
        resource=process_resource() if inside is None else inside.resource,
        attributes={names.TYPE: "event", **told},
        start_time=now,
        end_time=now,
        instrumentation_scope=ANNOTATION,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


def _trace_number(trace_id: str) -> int:
    try:
        number = int(trace_id, 16)
    except ValueError:
        number = 0
    if not 0 < number < 2**128:
        raise ValueError(f"{trace_id!r} is no trace id of OpenTelemetry: it has 32 hex digits")
    return number
