"""Metrics of calls, in the names that the ecosystem emits today.

``gen_ai.client.token.usage`` has left the newest draft of the conventions, but it is what every official instrumentation emits; the
counters that replace it are emitted by none yet.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from opentelemetry.metrics import MeterProvider, get_meter, get_meter_provider
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.costs import CostMetrics, measures
from otel_llm.protocols.facts import Usage
from otel_llm.version import SCOPE, __version__

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4**power for power in range(14))
_DIMENSIONS = (
    sc.OPERATION_NAME,
    sc.PROVIDER_NAME,
    sc.REQUEST_MODEL,
    sc.RESPONSE_MODEL,
    sc.SERVER_ADDRESS,
    sc.SERVER_PORT,
    sc.ERROR_TYPE,
    sc.AGENT_NAME,
)
_NS: Final = 1_000_000_000


class CallMetrics:
    """Duration, tokens, time to first chunk and cost of each call."""

    def __init__(self, provider: MeterProvider | None = None) -> None:
        meter = get_meter(SCOPE, __version__, provider)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Duration of a call", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of a call", explicit_bucket_boundaries_advisory=_TOKENS
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            "s",
            "Time until the first chunk of a streamed answer",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._costs = CostMetrics(meter, provider)
        self._provider = provider

    @property
    def measured(self) -> bool:
        """Whether anybody may read what is recorded."""
        return measures(self._provider or get_meter_provider())

    def record(
        self, attributes: Mapping[str, AttributeValue], usage: Usage, duration_s: float, first_chunk_s: float | None
    ) -> None:
        """Record one ended call; of its attributes those of low cardinality become dimensions."""
        dimensions = {name: attributes[name] for name in _DIMENSIONS if name in attributes}
        self._duration.record(duration_s, dimensions)
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count is not None:
                self._tokens.record(count, {**dimensions, "gen_ai.token.type": kind})
        if first_chunk_s is not None:
            self._first_chunk.record(first_chunk_s, dimensions)
        self.record_cost(attributes, usage, duration_s)

    def record_cost(self, attributes: Mapping[str, AttributeValue], usage: Usage, duration_s: float = 0.0) -> None:
        """Record what a call that has just ended cost, and no more: for calls of which another library measures the rest."""
        self._costs.record(attributes, usage, time.time_ns() - int(duration_s * _NS))
