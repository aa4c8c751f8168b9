"""Fixtures: a tracer provider that otel-llm uses for one test, with its spans in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider


@pytest.fixture
def sink() -> Iterator[SpanSink]:
    """Spans of otel-llm's own provider; nothing is patched."""
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        yield spans
        use_provider(None)
        assert spans.open == []
