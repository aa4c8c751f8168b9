"""A stored row of a span, in both write paths. Fields that are empty, null or false are absent; times are integer microseconds."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from otel_llm.testing.langfuse import javascript, metadata, schema, trace
from otel_llm.testing.langfuse.cost import Cost, client_cost, is_priced
from otel_llm.testing.langfuse.input_output import observation_content
from otel_llm.testing.langfuse.model import model, model_parameters
from otel_llm.testing.langfuse.observation_type import EVENT, GENERATION, SPAN, observation_type
from otel_llm.testing.langfuse.spans import Span
from otel_llm.testing.langfuse.timing import completion_start, microseconds
from otel_llm.testing.langfuse.tools import Tools, tools
from otel_llm.testing.langfuse.usage import Usage, usage

Row = dict[str, Any]

_NAMES: Final = ("gen_ai.tool.name", "genkit:name", "logfire.msg", "ai.toolCall.name", "ai.operationId")
_LEVELS: Final = {
    **dict.fromkeys(("trace", "debug"), "DEBUG"),
    **dict.fromkeys(("default", "info", "log", "notice"), "DEFAULT"),
    **dict.fromkeys(("warn", "warning"), "WARNING"),
    **dict.fromkeys(("error", "fatal", "critical"), "ERROR"),
}
_GENERATION_FIELDS: Final = (
    "model",
    "model_parameters",
    "usage_details",
    "cost_details",
    "total_cost",
    "completion_start_time",
    "server_would_price",
    "tokenised_by_server",
)
#: Types with a simpler legacy schema, and the fields that it does not have.
_PLAIN: Final = {SPAN: _GENERATION_FIELDS, EVENT: (*_GENERATION_FIELDS, "end_time")}


class DualRow(NamedTuple):
    """The legacy observation of a span. The row is None if the strict schema refused it, for the reasons given."""

    row: Row | None
    why: list[schema.Fault]


def direct_row(span: Span) -> Row:
    """The row of the events table. Nothing is validated; what is not text becomes text."""
    kind = observation_type(span)
    found = tools(*observation_content(span), span.attributes)
    sent = _sent_fields(span, kind) | {"trace_name": span.attributes.get(trace.TRACE_NAME), "release": trace.release(span)}
    own: Row = {name: "" if value is None else javascript.text(value) for name, value in sent.items()}
    own |= {
        "prompt_version": javascript.number(sent["prompt_version"]),
        "completion_start_time": microseconds(completion_start(span)),
        "is_app_root": trace.is_app_root(span),
        "metadata": metadata.direct_metadata(span, found.moved),
    }
    cost = _usage_and_cost(span, client_cost(span, strict=False), tokenise=True)
    return present(_shared(span, kind, found) | trace.identity(span) | own | cost)


def dual_row(span: Span) -> DualRow:
    """The row of the legacy observations table, behind its strict schema."""
    kind = observation_type(span)
    sent = _sent_fields(span, kind) | ({} if kind in _PLAIN else {"completion_start_time": completion_start(span)})
    if why := schema.observation_faults(sent):
        return DualRow(None, why)
    found = tools(*observation_content(span), span.attributes)
    own = sent | {
        "end_time": max(span.start_ms, span.end_ms) * 1000,
        "completion_start_time": microseconds(sent.get("completion_start_time")),
        "metadata": metadata.dual_observation_metadata(span, found.moved),
    }
    cost = _usage_and_cost(span, client_cost(span, strict=True), tokenise=_level(span) != "ERROR")
    cost["total_cost"] = cost["cost_details"].get("total")
    row = _shared(span, kind, found) | own | cost
    return DualRow(present({name: value for name, value in row.items() if name not in _PLAIN.get(kind, ())}), [])


def observation_name(span: Span) -> str:
    """The name of the observation; a tool's name goes before the span's."""
    return span.first_text(*_NAMES) or span.name


def _shared(span: Span, kind: str, found: Tools) -> Row:
    """Fields that mean the same in both paths."""
    return {
        "id": span.span_id,
        "trace_id": span.trace_id,
        "parent_span_id": span.parent_id,
        "type": kind,
        "name": observation_name(span),
        "start_time": span.start_ms * 1000,
        "end_time": span.end_ms * 1000,
        "level": _level(span),
        "model": model(span),
        "model_parameters": model_parameters(span),
        "input": found.input,
        "output": found.output,
        "environment": trace.environment(span),
        "tool_definitions": found.definitions,
        "tool_calls": found.calls,
        "tool_call_names": found.names,
    }


def _sent_fields(span: Span, kind: str) -> Row:
    """Fields that are taken as they were sent, of whatever type."""
    message = span.attributes.get("langfuse.observation.status_message")
    return {
        "status_message": span.status_message if message is None else message,
        "version": trace.version(span),
        "prompt_name": _prompt(span, "name") if kind == GENERATION else None,
        "prompt_version": _prompt(span, "version") if kind == GENERATION else None,
    }


def _prompt(span: Span, field: str) -> Any:
    sent = (span.attributes.get(f"{prefix}.{field}") for prefix in ("langfuse.observation.prompt", "langfuse.prompt"))
    return next((value for value in sent if value is not None), None)


def _usage_and_cost(span: Span, cost: Cost, *, tokenise: bool) -> Row:
    counts: Usage = usage(span)
    unpriced = not cost and is_priced(model(span))
    tokenised = unpriced and tokenise and not counts
    return {
        "usage_details": counts,
        "cost_details": cost,
        "server_would_price": unpriced and (bool(counts) or tokenised),
        "tokenised_by_server": tokenised,
    }


def _level(span: Span) -> str:
    sent = span.attributes.get("langfuse.observation.level")
    level = _LEVELS.get(sent.lower()) if isinstance(sent, str) else None
    return level or ("ERROR" if span.is_error else "DEFAULT")


def present(row: Row) -> Row:
    """The row without fields that are empty, null or false."""
    return {
        name: value for name, value in row.items() if value is not None and value is not False and value not in ("", [], {})
    }
