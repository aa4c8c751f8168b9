"""What is remembered of long prompts changes nothing of what is made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llm.recent import Recent
from otel_llm_langfuse import chatml
from otel_llm_langfuse.chatml import chat_input

PLAYBOOK = 'You are "a" helpful\nassistant → é. ' * 800
OTHER = "Another playbook. " * 1200


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def forget() -> None:
    chatml._recent_systems = Recent()
    chatml._recent_messages.beginnings = Recent()


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


MESSAGES = st.lists(
    st.sampled_from(
        [
            message("system", PLAYBOOK),
            message("system", OTHER),
            message("user", "Why?"),
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": {"a": 1.0}}]},
            {"role": "user", "content": PLAYBOOK},
            "no message",
        ]
    ),
    max_size=4,
)
FORMS = st.sampled_from([(",", ":"), (", ", ": ")])
ENDS = st.sampled_from(["", " ", "]", ",]", "{}"])
GIVEN = st.tuples(
    st.none() | st.sampled_from([PLAYBOOK, json.dumps([{"type": "text", "content": PLAYBOOK}]), "short"]),
    st.builds(
        lambda messages, form, end: json.dumps(messages, separators=form, ensure_ascii=False)[: -len(end) or None] + end,
        MESSAGES,
        FORMS,
        ENDS,
    ),
    st.sampled_from([None, '[{"type":"function","name":"f"}]', "[]", "{"]),
)


@given(calls=st.lists(GIVEN, max_size=6))
def test_calls_read_the_same_whatever_came_before(calls: list[tuple[Any, Any, Any]]) -> None:
    forget()
    after_others = [chat_input(*call) for call in calls]
    for call, told in zip(calls, after_others, strict=True):
        forget()
        assert chat_input(*call) == told


def test_a_long_first_message_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(text: str) -> str:
        return json.dumps([message("system", PLAYBOOK), message("user", text)], separators=(",", ":"), ensure_ascii=False)

    chat_input(None, asked("Why?"), None)
    made: list[Any] = []
    make = chatml.chat_messages
    monkeypatch.setattr(chatml, "chat_messages", lambda given: made.append(given) or make(given))
    told = json.loads(chat_input(None, asked("How?"), None) or "")
    assert told == {"messages": [{"role": "system", "content": PLAYBOOK}, {"role": "user", "content": "How?"}]}
    assert made == [message("user", "How?")]
