"""OpenInference's messages, flattened into attributes: ``llm.input_messages.0.message.contents.1.message_content.text``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm.dialects.chat import message_of
from otel_llm.dialects.reading import elements_of
from otel_llm.protocols.facts import Message
from otel_llm.protocols.values import elements, mapping, mappings, text

_MEDIA: Final = ("image", "audio", "video", "document")


def messages(given: Mapping[str, Any], prefix: str, default_role: str) -> list[Message]:
    """The messages below a prefix, in their order."""
    found = (mapping(mapping(each).get("message")) for each in elements_of(given, prefix))
    return [message_of(_chat_message(each), default_role) for each in found if each]


def _chat_message(message: dict[str, Any]) -> dict[str, Any]:
    """In OpenAI's form, which it was made of."""
    calls = [mapping(each.get("tool_call")) for each in mappings(message.get("tool_calls"))]
    contents = [part for each in elements(message.get("contents")) if (part := _content_part(mapping(each)))]
    if not calls:
        calls = [mapping(each["tool_call"]) for each in mappings(message.get("contents")) if "tool_call" in each]
    chat: dict[str, Any] = {"role": message.get("role"), "content": contents or message.get("content")}
    chat |= {key: message[key] for key in ("name", "tool_call_id") if message.get(key)}
    if calls:
        chat["tool_calls"] = calls
    if name := text(message.get("function_call_name")):
        chat["function_call"] = {"name": name, "arguments": message.get("function_call_arguments_json")}
    return chat


def _content_part(element: dict[str, Any]) -> dict[str, Any] | None:
    """One part of a content; None for a call of a tool, which stands beside the content too."""
    content = mapping(element.get("message_content"))
    if "tool_call" in element or not content:
        return None
    for kind in _MEDIA:
        if url := mapping(mapping(content.get(kind)).get(kind)).get("url"):
            return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
    said = content.get("text")
    if content.get("type") in ("reasoning", "thinking") and isinstance(said, str):
        return {"type": "thinking", "thinking": said}
    return {"type": "text", "text": said} if isinstance(said, str) else content
