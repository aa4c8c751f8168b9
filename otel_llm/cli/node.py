"""One GenAI span as plain facts, for showing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm import semconv as sc
from otel_llm.local_span import StoredSpan
from otel_llm.pricing import TokenCounts, price

_CALLS = sc.INFERENCE_OPERATIONS | {sc.EMBEDDINGS}


@dataclass(slots=True)
class SpanNode:
    """One span and what happened within it, by start time. None: not known."""

    name: str
    operation: str
    trace_id: str = ""
    span_id: str = ""
    #: Its own agent, or that of the nearest span around it.
    agent: str | None = None
    provider: str | None = None
    #: The one that answered, else the one that was asked for.
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    #: As reported by the provider, else by list price.
    cost_usd: float | None = None
    #: Time to the first chunk of a stream.
    ttft_ms: float | None = None
    duration_ms: float = 0.0
    #: Type and message.
    error: str | None = None
    #: Nanoseconds since the epoch.
    started_ns: int = 0
    attributes: Mapping[str, Any] = field(default_factory=dict)
    children: list[SpanNode] = field(default_factory=list)

    @property
    def is_call(self) -> bool:
        """Whether it is one call of a model."""
        return self.operation in _CALLS

    def walk(self) -> Iterator[SpanNode]:
        """The node itself and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    def as_json(self) -> dict[str, Any]:
        """The facts of a call under stable keys."""
        return {
            "agent": self.agent,
            "provider": self.provider,
            "model": self.model,
            "operation": self.operation,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "ttft_ms": self.ttft_ms,
            "duration_ms": self.duration_ms,
            "error": self.error,
        }


def node_of(span: StoredSpan) -> SpanNode:
    """The facts of one span, without children."""
    read = _Reader(span.attributes)
    first_chunk_s = read.number(sc.RESPONSE_TIME_TO_FIRST_CHUNK)
    return SpanNode(
        name=span.name,
        operation=read.text(sc.OPERATION_NAME) or "",
        trace_id=span.trace_id,
        span_id=span.span_id,
        agent=read.text(sc.AGENT_NAME),
        provider=read.text(sc.PROVIDER_NAME, sc.SYSTEM_OLD),
        model=read.text(sc.RESPONSE_MODEL, sc.REQUEST_MODEL),
        input_tokens=read.count(sc.USAGE_INPUT_TOKENS),
        output_tokens=read.count(sc.USAGE_OUTPUT_TOKENS),
        cost_usd=_cost(read, span.start_ns),
        ttft_ms=None if first_chunk_s is None else round(first_chunk_s * 1e3, 3),
        duration_ms=round((span.end_ns - span.start_ns) / 1e6, 3),
        error=_error(read, span),
        started_ns=span.start_ns,
        attributes=span.attributes,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Attributes of any instrumentation: a value of the wrong type counts as not known."""

    attributes: Mapping[str, Any]

    def text(self, *names: str) -> str | None:
        """The first of these attributes that is a text."""
        found = (self.attributes.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), None)

    def number(self, name: str) -> float | None:
        value = self.attributes.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def count(self, *names: str) -> int | None:
        found = (self.number(name) for name in names)
        return next((int(value) for value in found if value is not None), None)


def _cost(read: _Reader, at_ns: int) -> float | None:
    reported = read.number(sc.USAGE_COST)
    provider, model = read.text(sc.PROVIDER_NAME, sc.SYSTEM_OLD), read.text(sc.RESPONSE_MODEL, sc.REQUEST_MODEL)
    if reported is not None or provider is None or model is None or read.text(sc.OPERATION_NAME) not in _CALLS:
        return reported
    usage = TokenCounts(
        input_tokens=read.count(sc.USAGE_INPUT_TOKENS),
        output_tokens=read.count(sc.USAGE_OUTPUT_TOKENS),
        cache_read=read.count(sc.USAGE_CACHE_READ),
        cache_write=read.count(sc.USAGE_CACHE_WRITE, sc.USAGE_CACHE_WRITE_OLD),
        cache_write_5m=read.count(sc.CACHE_WRITE_5M),
        cache_write_1h=read.count(sc.CACHE_WRITE_1H),
        reasoning=read.count(sc.USAGE_REASONING),
    )
    tier = read.text(sc.OPENAI_RESPONSE_SERVICE_TIER, sc.RESPONSE_SERVICE_TIER)
    cost = price(provider=provider, model=model, usage=usage, at_ns=at_ns, service_tier=tier)
    return None if cost is None else cost.total


def _error(read: _Reader, span: StoredSpan) -> str | None:
    kind = read.text(sc.ERROR_TYPE)
    if not span.failed and kind is None:
        return None
    message = span.description or ""
    if kind is None or message.startswith(kind):
        return message or "failed"
    return f"{kind}: {message}" if message else kind
