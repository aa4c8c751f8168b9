"""Which tracer provider otel-llm uses: the one given to it, else the global one."""

from __future__ import annotations

from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from otel_llm.processor import ContextProcessor
from otel_llm.version import SCOPE, __version__


class _Source:
    """The provider in use, its tracer, and whether spans of that provider are stamped."""

    def __init__(self) -> None:
        self.given: trace.TracerProvider | None = None
        self.provider: trace.TracerProvider | None = None
        self.tracer: trace.Tracer = trace.NoOpTracer()

    def refresh(self, provider: trace.TracerProvider) -> None:
        stamp_spans_of(provider)
        self.tracer = provider.get_tracer(SCOPE, __version__)
        self.provider = provider


_source = _Source()


def use_provider(provider: trace.TracerProvider | None) -> None:
    """Take tracers from ``provider`` from now on; None means the global provider, also one that is set later."""
    _source.given = provider
    _source.provider = None


def tracer() -> trace.Tracer:
    """The tracer for all spans of otel-llm."""
    provider = _source.given or trace.get_tracer_provider()
    if provider is not _source.provider:
        _source.refresh(provider)
    return _source.tracer


_stamped: WeakSet[trace.TracerProvider] = WeakSet()
_watching: list[SpanProcessor] = []


def stamped_providers() -> list[trace.TracerProvider]:
    """The providers whose spans are stamped."""
    return list(_stamped)


def stamp_spans_of(provider: trace.TracerProvider) -> None:
    """Have each span of ``provider`` stamped with whom it belongs to; once per provider, and only if it takes processors."""
    add = getattr(provider, "add_span_processor", None)
    if add is None or getattr(provider, "_otel_llm_stamped", False):
        return
    add(ContextProcessor())
    for processor in _watching:
        add(processor)
    _stamped.add(provider)
    provider._otel_llm_stamped = True  # type: ignore[attr-defined]  # the mark must live as long as the provider


def watch_spans(processor: SpanProcessor) -> None:
    """Have ``processor`` see the spans of all providers that are stamped, from now on; once per processor."""
    if processor in _watching:
        return
    _watching.append(processor)
    for provider in stamped_providers():
        provider.add_span_processor(processor)  # type: ignore[attr-defined]  # stamped ones take processors
