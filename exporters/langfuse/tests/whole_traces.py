"""Whole traces: spans of a real provider, stamped and delivered as ``configure()`` has it, and what Langfuse stores of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery
from otel_llm.testing import SpanSink
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.tracing import stamp_spans_of, use_provider
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

Row = dict[str, Any]
Tree = tuple[tuple[str, Any], ...]


class FreshIds(RandomIdGenerator):
    """Hypothesis seeds the generator that the SDK takes ids from, so each of its examples would get the same ones."""

    def generate_span_id(self) -> int:
        return secrets.randbits(64) or 1

    def generate_trace_id(self) -> int:
        return secrets.randbits(128) or 1


@dataclass
class Traced:
    """A provider that delivers to a Langfuse."""

    langfuse: FakeLangfuse
    provider: TracerProvider
    destination: LangfuseDestination
    sink: SpanSink = field(default_factory=SpanSink)

    def tracer(self, scope: str = "app") -> Any:
        return self.provider.get_tracer(scope)

    def stored(self) -> list[Row]:
        """What Langfuse has, once all has been delivered."""
        assert self.provider.force_flush(10_000)
        return self.langfuse.observations

    def tree(self) -> Tree:
        """The stored observations by name, nested as Langfuse does it, siblings by name. An orphan fails."""
        rows = self.stored()
        ids = {row["id"] for row in rows}
        assert {row["parent_span_id"] for row in rows if "parent_span_id" in row} <= ids, "an observation is orphaned"
        below: dict[str | None, list[Row]] = {}
        for row in rows:
            below.setdefault(row.get("parent_span_id"), []).append(row)

        def nested(parent: str | None) -> Tree:
            return tuple(sorted((row["name"], nested(row["id"])) for row in below.get(parent, ())))

        return nested(None)

    def trace(self) -> Row:
        """The only trace, of both paths' rows what they have in common, and the metadata ``plan``."""
        self.stored()
        (trace,) = self.langfuse.traces
        wanted = ("name", "user_id", "session_id", "release", "version", "environment", "input", "output")
        told = {name: trace[name] for name in wanted if name in trace}
        if "trace_name" in trace:
            told["name"] = trace["trace_name"]
        return told | {"tags": sorted(trace.get("tags", [])), "plan": trace.get("metadata", {}).get("plan")}


@contextmanager
def traced(
    langfuse: FakeLangfuse, *, sampler: Sampler | None = None, resource: dict[str, Any] | None = None, **settings: Any
) -> Iterator[Traced]:
    """Deliver what happens in the block; ``settings`` are those of the destination."""
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    destination = LangfuseDestination(LangfuseSettings.load(**keys, **settings))
    provider = TracerProvider(
        resource=Resource(resource or {}), sampler=sampler, shutdown_on_exit=False, id_generator=FreshIds()
    )
    made = Traced(langfuse, provider, destination)
    stamp_spans_of(provider)
    provider.add_span_processor(made.sink)
    provider.add_span_processor(DeliveryProcessor(Delivery(destination, linger_s=0.0)))
    use_provider(provider)
    try:
        yield made
    finally:
        use_provider(None)
        provider.shutdown()
