"""A key in a prompt, from the call to what is stored and logged."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_llm
from otel_llm.content import CAPTURE_VARIABLE
from otel_llm.errors import ConfigurationError
from otel_llm.local_reader import LocalReader
from otel_llm.masking import Mask
from otel_llm.testing import FakeInsForge, FakeLangfuse, FakeProvider

KEY = "sk-abcdefghijklmnopqrstuvwx0123456789"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A process in which nothing is configured yet, and no setting comes from outside."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_LLM_LOCAL_STORE", str(tmp_path / "traces.sqlite3"))
    monkeypatch.setenv(CAPTURE_VARIABLE, "SPAN_ONLY")
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", trace.Once())
    yield monkeypatch
    otel_llm.shutdown()


def ask(fake: FakeProvider, text: str) -> None:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    with otel_llm.workflow("support"), otel_llm.agent("strategist"):
        httpx.post(f"{fake.openai}/chat/completions", json=body, headers={"authorization": f"Bearer {KEY}"})


def question(attributes: Any) -> str:
    (message,) = json.loads(attributes["gen_ai.input.messages"])
    return str(message["parts"][0]["content"])


def stored_question() -> str:
    (kept,) = LocalReader().recent()
    return next(question(span.attributes) for span in kept.spans if "gen_ai.input.messages" in span.attributes)


def test_a_key_is_neither_stored_nor_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture, fake: FakeProvider) -> None:
    with caplog.at_level(logging.DEBUG):
        otel_llm.configure()
        ask(fake, f"Use {KEY}, please")
        assert otel_llm.force_flush()
        assert stored_question() == "Use [masked], please"
        otel_llm.shutdown()
    files = list(tmp_path.iterdir())
    assert files
    assert not any(KEY.encode() in file.read_bytes() for file in files)
    assert KEY not in caplog.text


def test_a_key_reaches_no_destination_and_other_exporters_get_the_span_as_it_is(
    environment: pytest.MonkeyPatch, fake: FakeProvider
) -> None:
    others = InMemorySpanExporter()
    with FakeLangfuse(path="direct") as langfuse, FakeInsForge() as insforge:
        for name, value in {**langfuse.environment, **insforge.environment, "OTEL_LLM_LEGACY_CONTENT": "full"}.items():
            environment.setenv(name, value)
        provider = otel_llm.configure()
        provider.add_span_processor(SimpleSpanProcessor(others))
        ask(fake, f"Use {KEY}, please")
        assert otel_llm.force_flush()
        everything = json.dumps([langfuse.observations, langfuse.traces, insforge.rows("pipeline_spans")], default=str)
        otel_llm.shutdown()
    assert everything.count("Use [masked], please") == 4  # question and answer, which repeats it, at both
    assert KEY not in everything
    assert f"Use {KEY}, please" in [
        question(span.attributes) for span in others.get_finished_spans() if "gen_ai.input.messages" in (span.attributes or {})
    ]


def test_a_function_given_to_configure_masks_for_all_destinations(fake: FakeProvider) -> None:
    otel_llm.configure(mask=lambda text: text.replace("Ada", "A."))
    ask(fake, f"Ada has {KEY}")
    assert otel_llm.force_flush()
    assert stored_question() == "A. has [masked]"


def test_the_function_is_forgotten_at_shutdown() -> None:
    otel_llm.configure(mask=str.upper)
    assert Mask()("Ada") == "ADA"
    otel_llm.shutdown()
    assert Mask()("Ada") == "Ada"


@pytest.mark.parametrize(
    ("variables", "stored"),
    [
        ({"OTEL_LLM_MASK": "none"}, f"{KEY} of ada@example.org"),
        ({"OTEL_LLM_MASK": " Secrets,emails"}, "[masked] of [masked email]"),
        ({"OTEL_TRACES_EXPORTER": "local"}, "[masked] of ada@example.org"),
    ],
)
def test_settings_say_what_is_masked(
    environment: pytest.MonkeyPatch, variables: dict[str, str], stored: str, fake: FakeProvider
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    otel_llm.configure()
    ask(fake, f"{KEY} of ada@example.org")
    assert otel_llm.force_flush()
    assert stored_question() == stored


def test_the_local_store_can_do_without_content(environment: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    environment.setenv("OTEL_LLM_LOCAL_CONTENT", "none")
    otel_llm.configure()
    ask(fake, "Weather?")
    assert otel_llm.force_flush()
    (kept,) = LocalReader().recent()
    assert [span.name for span in kept.spans] == ["invoke_workflow support", "invoke_agent strategist", "chat gpt-4o"]
    assert "Weather?" not in repr(kept)


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("OTEL_LLM_MASK", "passwords", "must be none, or some of secrets, cards and emails with commas between them"),
        ("OTEL_LLM_LOCAL_CONTENT", "some", "Input should be 'full', 'truncated', 'hash' or 'none'"),
        ("OTEL_LLM_CONTENT_MAX_CHARS", "199", "Input should be greater than or equal to 200"),
    ],
)
def test_wrong_settings_are_refused_at_the_start(
    environment: pytest.MonkeyPatch, variable: str, value: str, fault: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        otel_llm.configure()
    assert caught.value.faults == (f"{variable}: {fault}",)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="mask must be a function"):
        otel_llm.configure(mask="secrets")  # type: ignore[arg-type]
