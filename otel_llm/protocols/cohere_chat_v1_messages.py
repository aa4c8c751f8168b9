"""Messages and tools of Cohere's older chat. Its tool calls have no ids: an outcome repeats the call that it is of."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.facts import Message, Part, ToolDefinition
from otel_llm.protocols.values import mapping, mappings, text

_ROLES: Final = {"CHATBOT": "assistant", "USER": "user", "SYSTEM": "system", "TOOL": "tool"}


def read_message(message: dict[str, Any], default_role: str) -> Message:
    """A message of the history, or one made of an answer: what was said, tool calls, and outcomes of tools."""
    role = text(message.get("role"))
    said = message.get("message")
    parts: list[Part] = [{"type": "text", "content": said}] if isinstance(said, str) and said else []
    parts += [_read_call(call) for call in mappings(message.get("tool_calls"))]
    parts += [read_result(result) for result in mappings(message.get("tool_results"))]
    return {"role": _ROLES.get(role, role.lower()) if role else default_role, "parts": parts}


def _read_call(call: dict[str, Any]) -> Part:
    name, arguments = text(call.get("name")) or "", call.get("parameters")
    return {"type": "tool_call", "id": text(call.get("id")), "name": name, "arguments": {} if arguments is None else arguments}


def read_result(result: dict[str, Any]) -> Part:
    call = mapping(result.get("call"))
    return {"type": "tool_call_response", "id": text(call.get("id")), "response": result.get("outputs"), "call": call}


def read_tool(tool: dict[str, Any]) -> ToolDefinition:
    """A function; its parameters are described by name, each with a type of Python's."""
    definition: ToolDefinition = {"type": "function", "name": text(tool.get("name")) or "function"}
    if tool.get("description"):
        definition["description"] = tool["description"]
    if tool.get("parameter_definitions"):
        definition["parameters"] = tool["parameter_definitions"]
    return definition
