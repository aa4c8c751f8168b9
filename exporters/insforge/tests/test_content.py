"""What of prompts and answers reaches the legacy tables."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from legacy_spans import CALL, CHAT, make_span
from opentelemetry.sdk.trace import Event

from otel_llm.content_policy import ContentMode
from otel_llm.errors import ConfigurationError
from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import InsForgeExporter, from_environment

KEY = "sk-abcdefghijklmnopqrstuvwx0123456789"


@pytest.fixture(autouse=True)
def _settings_of_an_insforge(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in insforge.environment.items():
        monkeypatch.setenv(name, value)


def question(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"type": "text", "content": text}]}


def stored(insforge: FakeInsForge, text: str, **arguments: Any) -> Any:
    """The messages of the row of a call."""
    exporter = InsForgeExporter(**arguments)
    exporter.export([make_span({**CHAT, "gen_ai.input.messages": json.dumps([question(text)])})])
    assert exporter.force_flush()
    exporter.shutdown()
    (row,) = insforge.rows("pipeline_spans")
    return row["input_data"].get("messages")


@pytest.mark.parametrize("word", ["true", "True", "1", "full", "FULL"])
def test_full_and_true_are_the_same(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("OTEL_LLM_LEGACY_CONTENT", word)
    assert stored(insforge, "Weather?") == [question("Weather?")]


@pytest.mark.parametrize("word", ["", "false", "0", "none"])
def test_none_and_false_are_the_same_and_the_default(
    insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("OTEL_LLM_LEGACY_CONTENT", word)
    assert stored(insforge, "Weather?") is None


@pytest.mark.parametrize("argument", [True, "full", ContentMode.FULL])
def test_an_argument_wins(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch, argument: Any) -> None:
    monkeypatch.setenv("OTEL_LLM_LEGACY_CONTENT", "hash")
    assert stored(insforge, "Weather?", content=argument) == [question("Weather?")]


def test_hash_tells_length_and_hash(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_LEGACY_CONTENT", "hash")
    digest = hashlib.sha256(b"Weather?").hexdigest()
    assert stored(insforge, "Weather?") == [question(f"[8 characters, sha256:{digest}]")]


def test_truncated_bounds_each_text(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_LEGACY_CONTENT", "truncated")
    monkeypatch.setenv("OTEL_LLM_CONTENT_MAX_CHARS", "300")
    (message,) = stored(insforge, "Weather? " * 100)
    assert len(message["parts"][0]["content"]) == 300


def test_the_exporter_s_own_function_masks(insforge: FakeInsForge) -> None:
    assert stored(insforge, f"Ada has {KEY}", content="full", mask=lambda text: text.replace("Ada", "A.")) == [
        question("A. has [masked]")
    ]


@pytest.mark.parametrize("content", ["full", "truncated", "hash", "none"])
def test_a_key_reaches_no_table(insforge: FakeInsForge, content: Any, caplog: pytest.LogCaptureFixture) -> None:
    attributes = {
        **CHAT,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": f"Use {KEY}. " * 3_000}]),
        "gen_ai.input.messages": json.dumps([question(f"Use\n{KEY}")]),
        "gen_ai.output.messages": f"cut off {KEY}",
    }
    events = (Event("exception", {"exception.message": f"refused: {KEY}"}),)
    exporter = InsForgeExporter(content=content)
    exporter.export([make_span(attributes, error=f"refused: {KEY}", events=events)])
    assert exporter.force_flush()
    exporter.shutdown()
    (row,) = insforge.rows("pipeline_spans")
    assert row["error"] == "refused: [masked]"
    assert KEY not in json.dumps(row)
    assert KEY not in caplog.text


def test_faults_name_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_MASK", "passwords")
    monkeypatch.setenv("OTEL_LLM_CONTENT_MAX_CHARS", "20")
    with pytest.raises(ConfigurationError) as caught:
        from_environment()
    assert sorted(fault.split(":")[0] for fault in caught.value.faults) == ["OTEL_LLM_CONTENT_MAX_CHARS", "OTEL_LLM_MASK"]


def test_the_span_stays_as_it_is_for_other_exporters() -> None:
    span = make_span({**CHAT, "gen_ai.input.messages": json.dumps([question(KEY)])}, error=KEY)
    before = span.to_json()
    destination = from_environment()
    assert destination is not None
    destination.encode(span)
    destination.close()
    assert span.to_json() == before
    assert span.context is not None
    assert span.context.span_id == CALL
