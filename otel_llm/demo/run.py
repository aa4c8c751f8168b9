"""Runs the demonstration: configure, the pipeline, delivery, reading back, comparing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import format_trace_id

from otel_llm.configuration import configure, deliveries, force_flush, shutdown
from otel_llm.content import CAPTURE_VARIABLE
from otel_llm.delivery import Parity, SupportsParity
from otel_llm.delivery.stats import Stats
from otel_llm.demo import pipeline
from otel_llm.demo.langfuse_reader import read_observations
from otel_llm.demo.receivers import Receivers, receivers
from otel_llm.demo.vendors import Vendors, vendors
from otel_llm.testing.sink import SpanSink

_FLUSH_S = 10.0
_READ_S = 60.0


@dataclass(frozen=True, slots=True)
class Demonstration:
    """All that came of a run."""

    vendors_embedded: bool
    receivers: Receivers
    spans: Sequence[ReadableSpan]
    stats: Mapping[str, Stats]
    observations: Sequence[Mapping[str, Any]]
    rows: Mapping[str, int]
    parity: Parity


def demonstrate() -> Demonstration:
    """Run the demonstration in this process, which should do nothing else with otel-llm.

    Raises ConfigurationError for settings of the user's that are wrong, and whatever a real vendor's refusal raises in its SDK.
    """
    with vendors(os.environ) as called, receivers(os.environ) as receiving, _environment(called, receiving):
        sink = SpanSink()
        configure("otel-llm-demo").add_span_processor(sink)
        try:
            asyncio.run(pipeline.run(called))
            force_flush(_FLUSH_S)
            return _look(called, receiving, sink)
        finally:
            shutdown()


def _look(called: Vendors, receiving: Receivers, sink: SpanSink) -> Demonstration:
    running = deliveries()
    trace_ids = sorted({format_trace_id(span.context.trace_id) for span in sink.spans})
    stats = {name: delivery.stats for name, delivery in running.items()}
    observations = _observations(trace_ids, stats["langfuse"].delivered)
    legacy = running["insforge"].destination
    if not isinstance(legacy, SupportsParity):
        raise TypeError("the legacy destination cannot compare")
    return Demonstration(
        called.embedded,
        receiving,
        sink.spans,
        stats,
        observations,
        legacy.row_counts(trace_ids),
        legacy.compare(observations, trace_ids),
    )


def _observations(trace_ids: Sequence[str], expected: int) -> Sequence[Mapping[str, Any]]:
    if not expected:
        return ()
    return read_observations(
        os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST") or "https://cloud.langfuse.com",
        os.environ["LANGFUSE_PUBLIC_KEY"],
        os.environ["LANGFUSE_SECRET_KEY"],
        trace_ids,
        expected=expected,
        timeout_s=_READ_S,
    )


@contextmanager
def _environment(called: Vendors, receiving: Receivers) -> Iterator[None]:
    """The environment with what the stand-ins need, as a user would set it for real destinations; restored afterwards."""
    before = dict(os.environ)
    os.environ.update(receiving.environment)
    os.environ.update(
        {
            "OTEL_TRACES_EXPORTER": "langfuse,insforge",
            "OTEL_LLM_PROVIDER_HOSTS": ",".join(
                filter(
                    None, [before.get("OTEL_LLM_PROVIDER_HOSTS"), *(f"{host}={name}" for host, name in called.hosts.items())]
                )
            ),
        }
    )
    os.environ.setdefault(CAPTURE_VARIABLE, "SPAN_ONLY")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
