"""An application with a tracer provider of its own, whose spans go to a fake Langfuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.tracing import stamp_spans_of, use_provider
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings


def settings_for(langfuse: FakeLangfuse, **changes: Any) -> LangfuseSettings:
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    return LangfuseSettings.load(**keys | changes)


@contextmanager
def application(langfuse: FakeLangfuse, *, project: str | None = None, **settings: Any) -> Iterator[DestinationExporter]:
    """otel-llm uses its provider meanwhile; the exporter delivers to ``langfuse``."""
    exporter = DestinationExporter(LangfuseDestination(settings_for(langfuse, **settings), project=project))
    provider = TracerProvider(resource=Resource({"deployment.environment.name": "staging"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stamp_spans_of(provider)
    use_provider(provider)
    try:
        yield exporter
    finally:
        use_provider(None)
        provider.shutdown()
