"""Message parts of the conventions as content parts of OpenAI's chat API, which Langfuse shows and indexes."""

from __future__ import annotations

from typing import Any

from otel_llm.content import json_text
from otel_llm_langfuse.media import is_reference, type_of_token

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
    """Inline data, or the token of what was uploaded."""
    stored = type_of_token(base64)
    mime_type = stored or _mime_type(part)
    return _inline(mime_type, base64 if stored else f"data:{mime_type};base64,{base64}")


def _linked(part: Part, uri: str) -> Part:
    """What a URI points to: somewhere else, into itself, to what was uploaded, or to nothing any more."""
    if is_reference(uri):
        return {"type": "text", "text": uri}
    if stored := type_of_token(uri):
        return _inline(stored, uri)
    mime_type = _mime_type(part)
    if mime_type.startswith("image/") or uri.startswith("data:"):
        return _inline(mime_type, uri)
    return {"type": "file", "file": {"file_url": uri}}


def _inline(mime_type: str, data: str) -> Part:
    if mime_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": data}}
    if mime_type.startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": data, "format": mime_type.removeprefix("audio/")}}
    return {"type": "file", "file": {"file_data": data}}


def _mime_type(part: Part) -> str:
    declared = part.get("mime_type")
    if isinstance(declared, str) and declared:
        return declared
    modality = part.get("modality")
    return f"{modality}/*" if modality in ("image", "audio", "video") else "application/octet-stream"
