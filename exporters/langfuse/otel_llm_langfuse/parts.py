"""Message parts of the conventions as content parts of OpenAI's chat API, which Langfuse shows and indexes."""

from __future__ import annotations

from typing import Any

from otel_llm.content import json_text

Part = dict[str, Any]


def content_part(part: Part) -> Part:
    """One part of a message's content. What has no counterpart stays as it is."""
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": as_content(part.get("content"))}
    if kind == "blob" and isinstance(part.get("content"), str):
        return _blob(part, part["content"])
    if kind == "uri" and isinstance(part.get("uri"), str):
        return _linked(part, part["uri"])
    if kind == "file" and "file_id" in part:
        return {"type": "file", "file": {"file_id": part["file_id"]}}
    return part


def tool_call(part: Part) -> Part:
    """A call that the model asks for. The arguments are JSON text, as OpenAI has them."""
    arguments = part.get("arguments")
    return {
        "id": part.get("id"),
        "type": "function",
        "function": {"name": part.get("name"), "arguments": "{}" if arguments is None else as_content(arguments)},
    }


def tool_message(part: Part) -> Part:
    """A tool's answer, which is a message of its own."""
    answer = part["response"] if "response" in part else part.get("result")
    return {"role": "tool", "tool_call_id": part.get("id"), "content": as_content(answer)}


def tool_definition(tool: Any) -> Any:
    """A function in OpenAI's nesting; tools that the provider runs stay as they are."""
    if not isinstance(tool, dict) or "name" not in tool or tool.get("type", "function") != "function":
        return tool
    function = {key: tool[key] for key in ("name", "description", "parameters") if tool.get(key) is not None}
    return {"type": "function", "function": function}


def as_content(value: Any) -> str:
    """Text as it is, anything else as JSON text."""
    return value if isinstance(value, str) else json_text(value)


def _blob(part: Part, base64: str) -> Part:
    mime_type = _mime_type(part)
    uri = f"data:{mime_type};base64,{base64}"
    if mime_type.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": uri, "format": mime_type.removeprefix("audio/")}}
    return _linked({**part, "mime_type": mime_type}, uri)


def _linked(part: Part, uri: str) -> Part:
    if _mime_type(part).startswith("image/"):
        return {"type": "image_url", "image_url": {"url": uri}}
    return {"type": "file", "file": {"file_data" if uri.startswith("data:") else "file_url": uri}}


def _mime_type(part: Part) -> str:
    declared = part.get("mime_type")
    if isinstance(declared, str) and declared:
        return declared
    modality = part.get("modality")
    return f"{modality}/*" if modality in ("image", "audio", "video") else "application/octet-stream"
