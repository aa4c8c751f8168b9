"""``configure()``: what it wires, that it is idempotent, and how it refuses wrong settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

import otel_llm
from otel_llm.configuration import deliveries
from otel_llm.content import CAPTURE_VARIABLE
from otel_llm.delivery import Delivered, Limits
from otel_llm.errors import ConfigurationError
from otel_llm.testing import FakeLangfuse, FakeProvider, SpanSink

QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
KEY = {"authorization": "Bearer sk-fake"}


class Memory:
    """A destination that keeps names."""

    name = "memory"
    limits = Limits()

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Delivered:
        self.sent += records
        return Delivered()

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[pytest.MonkeyPatch]:
    """A process in which nothing is configured yet, and no setting comes from outside."""
    import os

    for name in list(os.environ):
        if name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_LLM_LOCAL_STORE", str(tmp_path / "traces.sqlite3"))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", trace.Once())
    yield monkeypatch
    otel_llm.shutdown()


def ask(fake: FakeProvider) -> None:
    httpx.post(f"{fake.openai}/chat/completions", json=QUESTION, headers=KEY)


def test_a_call_reaches_a_destination_of_ones_own(fake: FakeProvider) -> None:
    memory = Memory()
    provider = otel_llm.configure("sales-bot", destinations=[memory])
    assert trace.get_tracer_provider() is provider
    assert provider.resource.attributes["service.name"] == "sales-bot"

    ask(fake)
    assert otel_llm.force_flush(10)
    assert memory.sent == [b"chat gpt-4o"]

    assert otel_llm.shutdown()
    assert memory.closed
    ask(fake)
    assert memory.sent == [b"chat gpt-4o"]


def test_a_second_call_changes_nothing(fake: FakeProvider) -> None:
    memory = Memory()
    first = otel_llm.configure(destinations=[memory])
    assert otel_llm.configure(destinations=[Memory()]) is first
    ask(fake)
    otel_llm.force_flush(10)
    assert memory.sent == [b"chat gpt-4o"]


def test_the_applications_own_provider_is_used_where_there_is_one(fake: FakeProvider) -> None:
    own = TracerProvider(shutdown_on_exit=False)
    trace.set_tracer_provider(own)
    memory = Memory()
    assert otel_llm.configure(destinations=[memory]) is own
    ask(fake)
    assert otel_llm.force_flush(10)
    assert memory.sent == [b"chat gpt-4o"]

    kept = SpanSink()
    own.add_span_processor(kept)
    otel_llm.shutdown()
    own.get_tracer("app").start_span("still works").end()
    assert [span.name for span in kept.spans] == ["still works"]
    assert memory.sent == [b"chat gpt-4o"]


def test_without_destinations_spans_go_to_the_local_store(fake: FakeProvider) -> None:
    otel_llm.configure()
    ask(fake)
    assert otel_llm.force_flush(10)
    assert list(deliveries()) == ["local"]
    assert deliveries()["local"].stats.delivered == 1


def test_langfuse_is_found_by_its_keys(environment: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    with FakeLangfuse() as langfuse:
        for name, value in langfuse.environment.items():
            environment.setenv(name, value)
        environment.setenv(CAPTURE_VARIABLE, "span_only")
        otel_llm.configure()
        with otel_llm.agent("strategist", user_id="42", session_id="s1"):
            ask(fake)
        assert otel_llm.force_flush(10)
        (generation,) = langfuse.generations
        assert generation["user_id"] == "42"
        assert "Why?" in generation["input"]
        assert set(langfuse.arrivals.values()) == {1}
        otel_llm.shutdown()


def test_nothing_is_done_where_the_sdk_is_disabled(environment: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    environment.setenv("OTEL_SDK_DISABLED", "true")
    memory = Memory()
    otel_llm.configure(destinations=[memory])
    ask(fake)
    assert memory.sent == []


def test_all_faults_are_named_at_once_and_no_secret(environment: pytest.MonkeyPatch) -> None:
    environment.setenv(CAPTURE_VARIABLE, "true")
    environment.setenv("OTEL_LLM_QUEUE_MAX_BYTES", "lots")
    environment.setenv("OTEL_LLM_SEND_TIMEOUT", "-1")
    environment.setenv("OTEL_LLM_PROVIDER_HOSTS", "llm.internal")
    with pytest.raises(ConfigurationError) as raised:
        otel_llm.configure()
    faults = {fault.partition(":")[0]: fault for fault in raised.value.faults}
    assert set(faults) == {CAPTURE_VARIABLE, "OTEL_LLM_QUEUE_MAX_BYTES", "OTEL_LLM_SEND_TIMEOUT", "OTEL_LLM_PROVIDER_HOSTS"}
    assert "SPAN_ONLY" in faults[CAPTURE_VARIABLE]


def test_the_faults_of_all_destinations_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    environment.setenv("INSFORGE_BASE_URL", "ftp://x")
    with pytest.raises(ConfigurationError) as raised:
        otel_llm.configure()
    assert "LANGFUSE_SECRET_KEY" in str(raised.value)
    assert "INSFORGE" in str(raised.value)


@pytest.mark.parametrize("name", ["langfuse", "insforge"])
def test_a_destination_named_but_not_configured_is_a_fault(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", name)
    with pytest.raises(ConfigurationError, match=f"'{name}', but its settings"):
        otel_llm.configure()


def test_an_exporter_that_is_not_installed_is_a_fault_that_names_the_known_ones(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "langfues")
    with pytest.raises(ConfigurationError, match=r"'langfues', which is not installed; known here: .*langfuse"):
        otel_llm.configure()


def test_exporters_of_others_stand_beside_ours(environment: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "local,otlp,console")
    environment.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")
    provider = otel_llm.configure()
    exporters = [
        type(p.span_exporter).__name__  # type: ignore[attr-defined]
        for p in provider._active_span_processor._span_processors
        if hasattr(p, "span_exporter")
    ]
    assert exporters == ["OTLPSpanExporter", "ConsoleSpanExporter"]
    assert list(deliveries()) == ["local"]


def test_none_means_none(environment: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "none")
    otel_llm.configure()
    ask(fake)
    assert deliveries() == {}
