"""Whether the spans of a case are the truth about its exchanges."""

from __future__ import annotations

from typing import Any

from cases import ARGUMENTS, TEXT, TOOL, Case
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_llm import semconv
from otel_llm.testing.provider import Exchange
from otel_llm.testing.sink import SpanSink

_CALLS = semconv.INFERENCE_OPERATIONS | {semconv.EMBEDDINGS}
_COUNTS = {
    "input_tokens": semconv.USAGE_INPUT_TOKENS,
    "output_tokens": semconv.USAGE_OUTPUT_TOKENS,
    "cache_read": semconv.USAGE_CACHE_READ,
    "reasoning": semconv.USAGE_REASONING,
    "cost": semconv.USAGE_COST,
}


def faults(case: Case, sink: SpanSink, exchanges: list[Exchange]) -> list[str]:
    """What is wrong: with the number of spans, and with each span beside its exchange."""
    calls = sorted(
        (span for span in sink.spans if (span.attributes or {}).get(semconv.OPERATION_NAME) in _CALLS),
        key=lambda span: span.start_time or 0,
    )
    found = [f"{len(sink.open)} spans left open"] if sink.open else []
    if len(exchanges) != len(case.replies):
        found.append(f"the SDK made {len(exchanges)} exchanges, not {len(case.replies)}")
    if len(calls) != len(exchanges):
        return [*found, f"{len(calls)} spans for {len(exchanges)} exchanges"]
    return found + [fault for span, exchange in zip(calls, exchanges, strict=True) for fault in _of_one(span, exchange)]


def _of_one(span: ReadableSpan, exchange: Exchange) -> list[str]:
    seen = SpanSink.attributes(span)
    found = [] if seen.get(semconv.REQUEST_MODEL) == exchange.model else [f"model is {seen.get(semconv.REQUEST_MODEL)}"]
    if (exchange.status or 0) >= 400 or (exchange.reply and exchange.reply.error):
        told = seen.get("error.type") and span.status.status_code is StatusCode.ERROR
        return found if told else [*found, f"no error in the span of a failure with status {exchange.status}"]
    if "error.type" in seen:
        found.append(f"error.type is {seen['error.type']} in the span of a success")
    return found + _usage(seen, exchange) + _output(seen, exchange)


def _usage(seen: dict[str, Any], exchange: Exchange) -> list[str]:
    sent = {name: getattr(exchange.usage, name, None) for name in _COUNTS}
    read = {name: seen.get(attribute) for name, attribute in _COUNTS.items()}
    return [f"{name} is {read[name]}, sent was {sent[name]}" for name in _COUNTS if read[name] != sent[name]]


def _output(seen: dict[str, Any], exchange: Exchange) -> list[str]:
    if exchange.api is None or exchange.api.embeds:
        return []
    parts = [part for message in seen.get(semconv.OUTPUT_MESSAGES, ()) for part in message["parts"]]
    text = "".join(part.get("content") or "" for part in parts if part["type"] == "text")
    calls = [(part.get("name"), part.get("arguments")) for part in parts if part["type"] == "tool_call"]
    wanted = ("", [(TOOL, ARGUMENTS)]) if exchange.reply and exchange.reply.tool_calls else (TEXT, [])
    return [] if (text, calls) == wanted else [f"output is {(text, calls)!r}"]
