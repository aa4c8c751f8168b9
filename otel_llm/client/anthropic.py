"""Questions in the words of Anthropic's messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from otel_llm.client.request import ChatMessage, Question, Tool, function_of
from otel_llm.client.services import Service
from otel_llm.client.wire import Wire, known
from otel_llm.protocols import PROTOCOLS
from otel_llm.protocols.values import mapping, mappings

#: The API wants a bound of the answer; every model that is served allows this many tokens.
DEFAULT_MAX_TOKENS: Final = 4096
_VERSION: Final = "2023-06-01"
_TOOL_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any"}
_DATA_URL: Final = re.compile(r"data:(?P<type>[^;,]+);base64,(?P<data>.*)", re.DOTALL)


def headers(key: str) -> Mapping[str, str]:
    """The key in a field of its own."""
    return {"x-api-key": key, "anthropic-version": _VERSION}


def body(question: Question, model: str, _service: Service) -> dict[str, Any]:
    """The request's body."""
    return {
        "model": model,
        "max_tokens": question.max_tokens or DEFAULT_MAX_TOKENS,
        "messages": _messages(question.messages),
        **known(
            {
                "system": _system(question.messages) or None,
                "tools": [_tool(tool) for tool in question.tools] or None,
                "tool_choice": _tool_choice(question.tool_choice),
                "temperature": question.temperature,
                "stream": question.stream or None,
            }
        ),
        **question.extra,
    }


def added_text(event: Any) -> str:
    """Text of a delta."""
    delta = mapping(mapping(event).get("delta"))
    text = delta.get("text") if delta.get("type") == "text_delta" else None
    return text if isinstance(text, str) else ""


def _system(messages: tuple[ChatMessage, ...]) -> str:
    """What stands among OpenAI's messages stands beside Anthropic's."""
    said = [message.get("content") for message in messages if message.get("role") in ("system", "developer")]
    return "\n\n".join(text for content in said if (text := _text(content)))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in mappings(content))


def _messages(messages: tuple[ChatMessage, ...]) -> list[dict[str, Any]]:
    """Turns of user and assistant; the results of several tools are one turn of the user."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer"):
            continue
        turn = {"role": "assistant" if role == "assistant" else "user", "content": _content(message)}
        if turns and role == "tool" and _holds_results(turns[-1]):
            turns[-1]["content"] += turn["content"]
        else:
            turns.append(turn)
    return turns


def _holds_results(turn: Mapping[str, Any]) -> bool:
    content = turn["content"]
    return isinstance(content, list) and bool(content) and content[-1].get("type") == "tool_result"


def _content(message: ChatMessage) -> Any:
    content = message.get("content")
    if message.get("role") == "tool":
        return [{"type": "tool_result", "tool_use_id": message.get("tool_call_id"), "content": _blocks(content)}]
    calls = [_tool_use(call) for call in message.get("tool_calls") or ()]
    if not calls:
        return _blocks(content)
    texts = [{"type": "text", "text": content}] if isinstance(content, str) and content else _blocks(content) or []
    return [*texts, *calls]


def _blocks(content: Any) -> Any:
    """Parts in Anthropic's form; those that are in it already stay."""
    if not isinstance(content, list):
        return content
    return [_image(part) if mapping(part).get("type") == "image_url" else part for part in content]


def _image(part: Mapping[str, Any]) -> dict[str, Any]:
    url = str(mapping(part.get("image_url")).get("url"))
    found = _DATA_URL.fullmatch(url)
    if found is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {"type": "image", "source": {"type": "base64", "media_type": found["type"], "data": found["data"]}}


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = mapping(call.get("function"))
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {}
    given = arguments if isinstance(arguments, dict) else {}
    return {"type": "tool_use", "id": call.get("id"), "name": function.get("name"), "input": given}


def _tool(tool: Tool) -> Mapping[str, Any]:
    function = function_of(tool)
    if function is None:
        return tool
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return known({"name": function.get("name"), "description": function.get("description"), "input_schema": schema})


def _tool_choice(choice: str | None) -> Mapping[str, str] | None:
    if choice is None:
        return None
    known_as = _TOOL_CHOICES.get(choice)
    return {"type": known_as} if known_as else {"type": "tool", "name": choice}


MESSAGES: Final = Wire(PROTOCOLS["anthropic_messages"], "/v1/messages", headers, body, added_text)
