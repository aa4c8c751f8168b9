"""Messages and tools in the forms that vendors and emitters have for them, as messages and tools of the conventions."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.dialects.reading import decoded
from otel_llm.dialects.words import finish_reason
from otel_llm.protocols.anthropic_messages_blocks import read_content as read_blocks
from otel_llm.protocols.facts import Message, Part, ToolDefinition
from otel_llm.protocols.openai_chat_messages import read_message
from otel_llm.protocols.openai_responses_content import read_content
from otel_llm.protocols.values import mapping, mappings, text

#: Content blocks that only Anthropic's API has.
_BLOCKS: Final = frozenset({"tool_use", "tool_result", "server_tool_use", "thinking", "redacted_thinking", "document"})


def message_of(given: dict[str, Any], default_role: str = "user") -> Message:
    """A message in OpenAI's form, or one of the conventions already. Its content may be the JSON text of a list of parts."""
    if isinstance(given.get("parts"), list):
        return given
    content, role = _content(given.get("content")), text(given.get("role")) or default_role
    calls = [_nested_call(call) for call in mappings(decoded(given.get("tool_calls")))]
    parts = _blocks(content)
    if parts is None:
        message = read_message({**given, "role": role, "content": content, "tool_calls": calls}, role)
    else:
        asked = read_message({"role": "assistant", "tool_calls": calls}, role)["parts"]
        message = {"role": role, "parts": [*parts, *asked]}
    reason = finish_reason(given.get("finish_reason"))
    return {**message, "finish_reason": reason} if reason else message


def messages_of(value: Any, default_role: str = "user") -> list[Message]:
    """Messages from a list of them, one of them, or a text; from JSON text of these, too."""
    read = decoded(value)
    if isinstance(read, dict):
        read = mappings(read.get("messages")) or [read]
    if isinstance(read, list) and read and all(isinstance(each, dict) for each in read):
        return [message_of(each, default_role) for each in read]
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return [message for each in value for message in messages_of(each, default_role)]
    return [{"role": default_role, "parts": [{"type": "text", "content": value}]}] if isinstance(value, str) and value else []


def tool_definition(tool: dict[str, Any]) -> ToolDefinition:
    """A tool in the form of any vendor: its definition beside its type or under it, its schema under any of three names."""
    kind = text(tool.get("type"))
    if kind is None or (kind == "custom" and "input_schema" in tool):
        kind = "function"
    inner = mapping(tool.get(kind)) or tool
    definition: ToolDefinition = {"type": kind, "name": text(inner.get("name")) or kind}
    if inner.get("description"):
        definition["description"] = inner["description"]
    schemas = (decoded(inner.get(key)) for key in ("parameters", "input_schema", "inputSchema"))
    if parameters := next((schema for schema in schemas if schema), None):
        definition["parameters"] = parameters
    return definition


def _content(content: Any) -> Any:
    """Content parts, where a text is their JSON, or the text."""
    if isinstance(content, str) and content.lstrip()[:1] == "[":
        read = decoded(content)
        if isinstance(read, list) and read and all(isinstance(part, dict) and "type" in part for part in read):
            return read
    return list(content) if isinstance(content, tuple) else content


def _blocks(content: Any) -> list[Part] | None:
    """Parts of blocks in Anthropic's or the responses API's form; None for content of chat completions."""
    if not isinstance(content, list):
        return None
    kinds = {text(block.get("type")) for block in mappings(content)}
    if kinds & _BLOCKS or any("source" in block for block in mappings(content)):
        return read_blocks(content)
    return read_content(content)


def _nested_call(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a function with its name beside its id instead of below ``function``."""
    if mapping(call.get("function")) or "name" not in call:
        return call
    return {"id": call.get("id"), "type": "function", "function": {key: call.get(key) for key in ("name", "arguments")}}
