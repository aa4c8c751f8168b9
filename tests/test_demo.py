"""``otel-llm demo``, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = str(Path(sys.executable).parent / "otel-llm")
OURS = ("OTEL_", "LANGFUSE_", "INSFORGE_", "OPENROUTER_")


def demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return subprocess.run(
        [COMMAND, "demo", *arguments],
        env=clean | {"COLUMNS": "160", "PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    done = demo("--json")
    assert (done.returncode, done.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def test_each_call_is_there_with_its_agent_model_tokens_and_cost(result: dict[str, Any]) -> None:
    keys = ("agent", "provider", "model", "operation", "input_tokens", "output_tokens")
    calls = sorted((tuple(call[key] for key in keys) for call in result["calls"]), key=str)
    assert calls == [
        ("extraction", "openai", "gpt-4o-mini", "chat", 412, 18),
        ("extraction", "openai", "gpt-4o-mini", "chat", None, None),
        ("memory", "deepseek", "deepseek-chat", "chat", 204, 16),
        ("strategist", "openrouter", "anthropic/claude-sonnet-4.5-20260217", "chat", 70_412, 31),
        ("trainer", "anthropic", "claude-haiku-4-5", "chat", 2_310, 24),
        (None, "openai", "gpt-4o-mini", "chat", 412, 18),
    ]
    by_agent = {call["agent"]: call for call in result["calls"] if not call["error"]}
    assert by_agent["strategist"]["cost_usd"] == 0.02508  # the provider's own figure
    assert by_agent["strategist"]["ttft_ms"] > 0
    assert all(call["cost_usd"] > 0 and call["duration_ms"] > 0 for call in by_agent.values())


def test_the_throttled_attempt_is_an_error(result: dict[str, Any]) -> None:
    (error,) = [call["error"] for call in result["calls"] if call["error"]]
    assert "Rate limit reached" in error


def test_both_destinations_have_everything_and_agree(result: dict[str, Any]) -> None:
    assert result["destinations"] == {
        "langfuse": {"embedded": True, "received": 11, "delivered": 11, "pending": 0, "rejected": 0},
        "legacy": {"embedded": True, "received": 10, "delivered": 10, "pending": 0, "rejected": 0},
    }
    assert result["langfuse"]["generations"] == 6
    assert result["langfuse"]["total_tokens"] == sum(
        call["input_tokens"] + call["output_tokens"] for call in result["calls"] if not call["error"]
    )
    assert result["langfuse"]["total_cost"] == pytest.approx(
        sum(call["cost_usd"] for call in result["calls"] if not call["error"]), abs=1e-9
    )
    assert result["legacy"] == {"pipeline_traces": 1, "pipeline_spans": 9}
    assert result["parity"] == {"compared": 10, "missing": [], "different": []}


def test_for_people_it_is_a_tree_and_what_to_do_next() -> None:
    done = demo()
    assert (done.returncode, done.stderr) == (0, "")
    for expected in (
        "LLM calls made to stand-ins on this machine",
        "invoke_workflow support",
        "└── invoke_agent memory",
        "langfuse (FakeLangfuse on http://127.0.0.1:",
        "legacy (SQLite, in a temporary file): 10 delivered, 0 pending, 0 rejected",
        "They agree.",
        "otel_llm.configure(",
    ):
        assert expected in done.stdout


def test_wrong_settings_are_said_and_nothing_is_run() -> None:
    done = demo(LANGFUSE_PUBLIC_KEY="pk-lf-1", OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "SPAN_ONLY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_destination_that_cannot_be_reached_fails_the_demonstration_and_says_so() -> None:
    done = demo(LANGFUSE_PUBLIC_KEY="pk-lf-1", LANGFUSE_SECRET_KEY="sk-lf-1", LANGFUSE_BASE_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "sk-lf-1" not in done.stderr + done.stdout
    assert "langfuse (http://127.0.0.1:1): 0 delivered, 11 pending, 0 rejected" in done.stdout
    assert "They do not agree." in done.stdout
    assert "Connection refused" in done.stdout
