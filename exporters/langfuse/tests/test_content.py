"""What of prompts and answers Langfuse gets, by settings and arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseExporter, LangfuseSettings

Row = dict[str, Any]
MakeSpan = Callable[..., ReadableSpan]
Store = Callable[..., list[Row]]

KEY = "sk-abcdefghijklmnopqrstuvwx0123456789"
WEATHER = "Weather in Paris?"
CALL = {"type": "tool_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_LLM_MASK", "OTEL_LLM_CONTENT_MAX_CHARS", "OTEL_LLM_LANGFUSE_CONTENT"):
        monkeypatch.delenv(name, raising=False)


def hash_of(text: str) -> str:
    return f"[{len(text)} characters, sha256:{hashlib.sha256(text.encode()).hexdigest()}]"


def asked(text: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}])


def question(row: Row) -> Any:
    (message,) = json.loads(row["input"])["messages"]
    assert message["role"] == "user"
    return message["content"]


def test_full_is_the_default(stored: Store, make_span: MakeSpan, chat: dict[str, Any]) -> None:
    (row,) = stored(make_span(chat))
    assert question(row) == WEATHER


def test_hash_keeps_roles_and_names_of_tools(stored: Store, make_span: MakeSpan, chat: dict[str, Any]) -> None:
    answer = [{"role": "assistant", "parts": [CALL], "finish_reason": "tool_calls"}]
    (row,) = stored(make_span({**chat, "gen_ai.output.messages": json.dumps(answer)}), content="hash")
    assert question(row) == hash_of(WEATHER)
    (call,) = json.loads(row["output"])["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": json.dumps({"city": hash_of("Paris")}, separators=(",", ":"))}


def test_none_leaves_model_tokens_and_cost(stored: Store, make_span: MakeSpan, chat: dict[str, Any]) -> None:
    (row,) = stored(make_span(chat), content="none")
    assert not {"input", "output"} & row.keys()
    assert row["model"] == "gpt-4o-2024-08-06"
    assert row["usage_details"] == {"input": 1000, "output": 100, "total": 1100}
    assert row["cost_details"]["total"] == 0.0035


def test_truncated_bounds_each_text(
    stored: Store, make_span: MakeSpan, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_LLM_CONTENT_MAX_CHARS", "300")
    (row,) = stored(make_span({**chat, "gen_ai.input.messages": asked("Weather? " * 100)}), content="truncated")
    assert len(question(row)) == 300
    assert "characters left out, sha256:" in question(row)


@pytest.mark.parametrize(("content", "is_told"), [("full", True), ("none", False)])
def test_messages_in_events_are_content_too(
    stored: Store, make_span: MakeSpan, chat: dict[str, Any], content: str, is_told: bool
) -> None:
    plain = {name: value for name, value in chat.items() if not name.endswith("messages")}
    events = (Event("gen_ai.user.message", {"content": f"{WEATHER} {KEY}"}),)
    span = make_span(plain, events=events, scope=InstrumentationScope("another"))
    (row,) = stored(span, content=content)
    assert ("Weather in Paris? [masked]" in row.get("input", "")) is is_told


@pytest.mark.parametrize("content", ["full", "truncated", "hash", "none"])
def test_a_key_never_reaches_langfuse(
    langfuse: FakeLangfuse,
    stored: Store,
    make_span: MakeSpan,
    chat: dict[str, Any],
    content: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    attributes = {
        **chat,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": f"Use {KEY}. " * 3_000}]),
        "gen_ai.input.messages": asked(f"Take\n{KEY}"),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{**CALL, "arguments": json.dumps({"k": KEY})}]}]),
        "gen_ai.prompt.0.content": KEY,
        "langfuse.observation.metadata.note": f"Take {KEY}",
        "otel_llm.metadata.note": f"Take {KEY}",
    }
    events = (Event("exception", {"exception.message": f"refused: {KEY}", "exception.type": "RuntimeError"}),)
    span = make_span(attributes, error=f"refused: {KEY}", events=events)
    before = span.to_json()
    (row,) = stored(span, content=content)
    assert "refused: [masked]" in row["status_message"]
    assert KEY not in json.dumps([langfuse.observations, langfuse.traces])
    assert KEY not in caplog.text
    assert span.to_json() == before


def test_the_exporter_s_own_function_masks(langfuse: FakeLangfuse, make_span: MakeSpan, chat: dict[str, Any]) -> None:
    exporter = LangfuseExporter(
        public_key=langfuse.public_key,
        secret_key=langfuse.secret_key,
        base_url=langfuse.base_url,
        mask=lambda text: text.replace("Paris", "***"),
    )
    exporter.export([make_span(chat)])
    assert exporter.force_flush()
    exporter.shutdown()
    (row,) = langfuse.observations
    assert question(row) == "Weather in ***?"


def test_arguments_of_the_exporter_win(
    langfuse: FakeLangfuse, make_span: MakeSpan, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_LLM_LANGFUSE_CONTENT", "none")
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    exporter = LangfuseExporter(**keys, content="truncated", content_max_chars=250)
    exporter.export([make_span({**chat, "gen_ai.input.messages": asked("Weather? " * 100)})])
    assert exporter.force_flush()
    exporter.shutdown()
    (row,) = langfuse.observations
    assert len(question(row)) == 250


def test_masking_can_be_switched_off(
    stored: Store, make_span: MakeSpan, chat: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_LLM_MASK", "none")
    (row,) = stored(make_span({**chat, "gen_ai.input.messages": asked(KEY)}))
    assert question(row) == KEY


def test_all_faults_are_told_by_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_MASK", "secrets,passwords")
    monkeypatch.setenv("OTEL_LLM_CONTENT_MAX_CHARS", "20")
    monkeypatch.setenv("OTEL_LLM_LANGFUSE_CONTENT", "some")
    with pytest.raises(ConfigurationError) as caught:
        LangfuseSettings.load()
    assert sorted(caught.value.faults) == [
        "OTEL_LLM_CONTENT_MAX_CHARS Input should be greater than or equal to 200",
        "OTEL_LLM_LANGFUSE_CONTENT Input should be 'full', 'truncated', 'hash' or 'none'",
        "OTEL_LLM_MASK must be none, or some of secrets, cards and emails with commas between them",
    ]
