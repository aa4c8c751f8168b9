"""Content as JSON text, the same whether a long prompt was seen before or not."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm import attributes
from otel_llm.attributes import content_attributes
from otel_llm.content import json_text
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.recent import Recent

PLAYBOOK = 'You are "a" helpful\nassistant → é. ' * 800


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "_recent", Recent())


def message(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts), **more}


def text(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "text", "content": content, **more}


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([message(text(PLAYBOOK))], id="alone"),
        pytest.param([message(text(PLAYBOOK)), message(text("Why?"))], id="with another"),
        pytest.param([message(text("Why?")), message(text(PLAYBOOK))], id="not the first"),
        pytest.param([message(text(PLAYBOOK), {"type": "tool_call", "arguments": {"x": 1}})], id="not only text"),
        pytest.param([message(text(PLAYBOOK), finish_reason=None)], id="with something else"),
        pytest.param([message()], id="without parts"),
        pytest.param([text(PLAYBOOK)], id="a part"),
    ],
)
def test_the_text_of_messages_is_their_json(messages: list[dict[str, Any]]) -> None:
    for _ in range(3):
        request = RequestFacts("chat", messages=messages)
        assert content_attributes(request, ResponseFacts()) == {"gen_ai.input.messages": json_text(messages)}


def test_equal_values_of_different_json_are_told_apart() -> None:
    for flag in (True, 1, 1.0):
        system = [text(PLAYBOOK, cached=flag)]
        request = RequestFacts("chat", system=system)
        assert content_attributes(request, ResponseFacts()) == {"gen_ai.system_instructions": json_text(system)}


def test_a_long_prompt_is_serialised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    content_attributes(RequestFacts("chat", system=[text(PLAYBOOK)]), ResponseFacts())
    monkeypatch.setattr(attributes, "json_text", lambda value: pytest.fail("serialised again"))
    again = content_attributes(RequestFacts("chat", system=[text("".join(PLAYBOOK))]), ResponseFacts())
    assert again == {"gen_ai.system_instructions": json_text([text(PLAYBOOK)])}
