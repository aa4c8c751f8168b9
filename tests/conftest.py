"""Fixtures: a tracer provider that otel-llm uses for one test, with its spans in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from weakref import WeakSet

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))
from calling import Caller

from otel_llm import CaptureMode, instrument, uninstrument
from otel_llm.guard import faults
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import stamp_spans_of, use_provider

# The same examples in each run, however slow or loaded the machine is.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture
def sink() -> Iterator[SpanSink]:
    """Spans of otel-llm's own provider; nothing is patched."""
    with SpanSink.provider() as (provider, spans):
        stamp_spans_of(provider)
        use_provider(provider)
        yield spans
        use_provider(None)
        assert spans.open == []


@pytest.fixture(params=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    """Each HTTP library that is recorded."""
    return import_module(request.param)


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest, library: ModuleType) -> Caller:
    """Each way to call: library x sync or async."""
    return Caller(library, request.param == "async")


@pytest.fixture
def recorded() -> Iterator[SpanSink]:
    """Spans of calls, with content, while both libraries are instrumented; nothing of ours may fail meanwhile."""
    before = faults.count
    with SpanSink.provider() as (provider, spans):
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
        yield spans
        uninstrument()
        assert spans.open == []
    assert faults.count == before


@pytest.fixture(scope="session")
def _fake_provider() -> Iterator[FakeProvider]:
    with FakeProvider(pause_s=0.001) as fake:
        yield fake


@pytest.fixture
def fake(_fake_provider: FakeProvider) -> FakeProvider:
    """LLM vendors on loopback, with no exchange seen and no reply queued yet."""
    _fake_provider.clear()
    return _fake_provider


@pytest.fixture(autouse=True)
def _no_notes_in_the_users_directory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _no_deliveries_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush waits for all that run."""
    monkeypatch.setattr("otel_llm.delivery.running._running", WeakSet())
