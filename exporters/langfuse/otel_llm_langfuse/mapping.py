"""A span's attributes as Langfuse needs them: pure, total, and the same for the same span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.content_policy import FULL, ContentPolicy
from otel_llm.dialects import conventional
from otel_llm_langfuse import names, tree
from otel_llm_langfuse.conform import conform
from otel_llm_langfuse.cost import RAW as RAW_COST
from otel_llm_langfuse.cost import call_cost
from otel_llm_langfuse.generation import first_chunk_attributes, prompt_attributes
from otel_llm_langfuse.kinds import GENERATION, MODEL_CALLS, TOOL, is_opaque_agent, observation_type, sums_up
from otel_llm_langfuse.level import failed, level_attributes
from otel_llm_langfuse.metadata import metadata, prompt_names
from otel_llm_langfuse.parameters import RAW_MODEL, RAW_NO_PARAMETERS, model_attributes
from otel_llm_langfuse.payload import payload
from otel_llm_langfuse.readers import Given, names_under, text
from otel_llm_langfuse.trace import trace_attributes
from otel_llm_langfuse.tree import Place
from otel_llm_langfuse.usage import RAW_PREFIXES, is_known, read_usage, usage_details

_OURS: Final = "otel_llm."
#: Computed from what was given under the same names, so the given values do not win.
_MERGED: Final = frozenset({names.TYPE, names.TRACE_TAGS, names.TRACE_TAGS_OLD, names.ENVIRONMENT})


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """What a deployment says of all its spans; both win over the resource."""

    environment: str | None = None
    release: str | None = None
    content: ContentPolicy = FULL
    #: Where a span hangs.
    place: Callable[[ReadableSpan, Given], Place] = tree.place


def map_span(span: ReadableSpan, settings: MappingSettings) -> dict[str, AttributeValue]:
    """The attributes of the copy of ``span`` that goes to Langfuse.

    Attributes of Langfuse's own that the application set win, if their types are right. Never raises.
    """
    given = settings.content.applied(conventional(span))
    return mapped(span, given, settings, settings.place(span, given))


def mapped(span: ReadableSpan, given: Given, settings: MappingSettings, place: Place) -> dict[str, AttributeValue]:
    """The same from the attributes in the conventions' form, with the content that Langfuse is to have, for the ``place`` it has."""
    kind = observation_type(given)
    explicit = conform({name: given[name] for name in names_under(given, names.PREFIX) if name not in _MERGED})
    content = payload(given)
    computed = {
        names.TYPE: kind,
        **content.attributes,
        **level_attributes(span, given),
        **trace_attributes(given, span.resource.attributes, environment=settings.environment, release=settings.release),
        **metadata(span, given),
        **place.attributes,
        **(prompt_attributes(given) if kind == GENERATION else {}),
        **_consumption(span, given, kind, explicit),
    }
    told = {**conform(computed), **explicit}
    dropped = {*content.carried, *_unsafe(given, kind, told), *names_under(given, names.PREFIX, _OURS)}
    if is_opaque_agent(span, given):
        dropped.add(sc.OPERATION_NAME)  # Langfuse counts nothing of a span that says invoke_agent
    kept = {name: value for name, value in given.items() if name not in dropped}
    return {**conform(kept), **told}


def _consumption(span: ReadableSpan, given: Given, kind: str, explicit: Mapping[str, Any]) -> dict[str, Any]:
    """Model, usage and cost, on the spans whose own they are.

    A model on a span without tokens would make Langfuse count the tokens of its input and output, and charge them.
    """
    usage = read_usage(given)
    if sums_up(span, given) or not (kind in MODEL_CALLS or is_known(usage)):
        model = text(given, sc.REQUEST_MODEL, sc.RESPONSE_MODEL)
        return {} if model is None else {f"{names.METADATA_PREFIX}model": model}
    told = {**model_attributes(given), **first_chunk_attributes(span, given)}
    cost = None if names.COST_DETAILS in explicit else call_cost(given, usage, span.start_time or 0)
    if is_known(usage) or ((failed(span, given) or sc.ENDING in given) and kind in MODEL_CALLS):
        told[names.USAGE_DETAILS] = usage_details(usage, by_modality=cost is not None or names.COST_DETAILS in explicit)
    if usage.reasoning is not None:
        told[f"{names.METADATA_PREFIX}reasoning_tokens"] = str(usage.reasoning)
    if cost is not None:
        told |= {names.COST_DETAILS: cost.details, f"{names.METADATA_PREFIX}cost_source": cost.source}
    return told


def _unsafe(given: Given, kind: str, told: Mapping[str, Any]) -> set[str]:
    """Attributes that Langfuse would read in place of what it is told, or misread."""
    unsafe = set(prompt_names(given))
    if kind != TOOL:
        unsafe.add(sc.TOOL_NAME)  # it would replace the span's name
    if names.USAGE_DETAILS not in told:
        unsafe.update(names_under(given, *RAW_PREFIXES))
    if names.COST_DETAILS not in told:
        unsafe.update(RAW_COST)
    if names.MODEL_PARAMETERS not in told:
        unsafe.update(RAW_NO_PARAMETERS)
    if names.MODEL not in told:
        unsafe.update(RAW_MODEL)
    return unsafe
