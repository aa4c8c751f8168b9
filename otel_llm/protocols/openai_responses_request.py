"""What a request for a response asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import otel_llm.protocols.openai_chat as openai_chat
from otel_llm import semconv
from otel_llm.protocols.facts import Message, RequestFacts, Scalar
from otel_llm.protocols.openai_responses_content import read_content
from otel_llm.protocols.openai_responses_items import kind_of, read_item
from otel_llm.protocols.openai_responses_tools import read_tools
from otel_llm.protocols.values import AttributeTable, elements, integer, mapping, read_attributes, text


def _id(value: Any) -> str | None:
    """An id, by itself or in an object."""
    return text(value) or text(mapping(value).get("id"))


def _true(value: Any) -> bool | None:
    return True if value is True else None


def _version(value: Any) -> str | None:
    number = integer(value)
    return text(value) if number is None else str(number)


_ATTRIBUTES: Final[AttributeTable] = {
    "previous_response_id": (semconv.REQUEST_PREVIOUS_RESPONSE_ID, text),
    "conversation": (semconv.CONVERSATION_ID, _id),
    "background": (semconv.REQUEST_BACKGROUND, _true),
}
_PROMPT_ATTRIBUTES: Final[AttributeTable] = {
    "id": (semconv.PROMPT_NAME, text),
    "version": (semconv.PROMPT_VERSION, _version),
}
#: Who speaks in an item that does not say it. Anything else is the model's.
_USERS: Final = frozenset({"message", "mcp_approval_response", "compaction_trigger", "unknown"})


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request; instructions are kept apart from the messages."""
    body = mapping(body)
    asked = openai_chat.request(_as_chat(body), path)
    return replace(
        asked,
        attributes=asked.attributes | _attributes(body),
        system=_instructions(body.get("instructions")),
        messages=_messages(body.get("input")),
        tools=read_tools(body.get("tools")),
    )


def _as_chat(body: dict[str, Any]) -> dict[str, Any]:
    """The settings, under the names that chat completions have for them: most are the same."""
    return {
        **body,
        "max_tokens": body.get("max_output_tokens"),
        "response_format": mapping(body.get("text")).get("format"),
    }


def _attributes(body: dict[str, Any]) -> dict[str, Scalar]:
    return read_attributes(body, _ATTRIBUTES) | read_attributes(mapping(body.get("prompt")), _PROMPT_ATTRIBUTES)


def _instructions(instructions: Any) -> list[dict[str, Any]]:
    """A text; what a response echoes may also be a list of items."""
    if isinstance(instructions, list):
        return [part for message in _messages(instructions) for part in message["parts"]]
    return read_content(instructions) if instructions else []


def _messages(given: Any) -> list[Message]:
    """A message for each item of the input, or for the one text that it is."""
    if isinstance(given, str):
        return [{"role": "user", "parts": read_content(given)}]
    return [_message(item) for item in elements(given)]


def _message(item: Any) -> Message:
    """An item as a message; of encrypted reasoning, at least that it is there."""
    if not isinstance(item, dict):
        return {"role": "user", "parts": read_content([item])}
    kind = kind_of(item)
    parts = read_item(item) or ([{"type": "encrypted_reasoning", "id": text(item.get("id"))}] if kind == "reasoning" else [])
    return {"role": text(item.get("role")) or _role(kind), "parts": parts}


def _role(kind: str) -> str:
    if kind.endswith("_output"):
        return "tool"
    return "user" if kind in _USERS else "assistant"
