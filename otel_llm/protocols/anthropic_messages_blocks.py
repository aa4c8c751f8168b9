"""Content blocks of Anthropic's messages, asked and answered, as parts of the conventions. Unknown blocks are passed on as sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Part
from otel_llm.protocols.values import mapping, text


def read_content(content: Any) -> list[Part]:
    """Parts of a message, a system prompt or a tool's outcome: a string, or a list of blocks."""
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if isinstance(content, dict):
        content = [content]
    parts = (_read_block(block) for block in content) if isinstance(content, list) else ()
    return [part for part in parts if part is not None]


def _read_block(block: Any) -> Part | None:
    """The part for a block; None for thinking that was left out of the answer and has only a signature."""
    if isinstance(block, str):
        return {"type": "text", "content": block}
    if not isinstance(block, dict):
        return {"type": "unknown", "content": block}
    kind = text(block.get("type")) or "unknown"
    if kind == "thinking" and not block.get("thinking"):
        return None
    if kind.endswith("_tool_result"):
        return _server_tool_result(kind, block)
    read = _READERS.get(kind)
    return (read(block) if read else None) or {**block, "type": kind}


def _text(block: dict[str, Any]) -> Part | None:
    said = block.get("text")
    return {"type": "text", "content": said} if isinstance(said, str) else None


def _thinking(block: dict[str, Any]) -> Part | None:
    thinking = block.get("thinking")
    return {"type": "reasoning", "content": thinking} if isinstance(thinking, str) else None


def _tool_use(block: dict[str, Any]) -> Part:
    return {"type": "tool_call", "id": text(block.get("id")), "name": text(block.get("name")) or "", "arguments": _input(block)}


def _tool_result(block: dict[str, Any]) -> Part:
    """The outcome of a tool: its text, or its parts if it has several kinds of them."""
    content = block.get("content")
    response = read_content(content) if isinstance(content, list) else content
    part: Part = {"type": "tool_call_response", "id": text(block.get("tool_use_id")), "response": response}
    return {**part, "is_error": True} if block.get("is_error") is True else part


def _server_tool_use(block: dict[str, Any]) -> Part:
    name = text(block.get("name")) or "unknown"
    call = {"type": name, "arguments": _input(block)}
    return {"type": "server_tool_call", "id": text(block.get("id")), "name": name, "server_tool_call": call}


def _mcp_tool_use(block: dict[str, Any]) -> Part:
    name = text(block.get("name")) or "unknown"
    call = {"type": "mcp", "server_name": block.get("server_name"), "arguments": _input(block)}
    return {"type": "server_tool_call", "id": text(block.get("id")), "name": name, "server_tool_call": call}


def _server_tool_result(kind: str, block: dict[str, Any]) -> Part:
    outcome = {"type": kind, "content": block.get("content")}
    return {"type": "server_tool_call_response", "id": text(block.get("tool_use_id")), "server_tool_call_response": outcome}


def _input(block: dict[str, Any]) -> Any:
    """Arguments of a tool; of a call that was cut off, the text so far."""
    given = block.get("input")
    return {} if given is None or given == "" else given


def _sourced(modality: str) -> Callable[[dict[str, Any]], Part | None]:
    """An image or document: inline, at a URL, or by the id of a file."""

    def read(block: dict[str, Any]) -> Part | None:
        source = mapping(block.get("source"))
        data, url, file_id = (text(source.get(key)) for key in ("data", "url", "file_id"))
        if data and source.get("type") == "text":
            return {"type": "text", "content": data}
        if data:
            return media.blob(modality, text(source.get("media_type")), data)
        if url:
            return media.located(modality, url)
        return media.file(modality, file_id) if file_id else None

    return read


def _container_upload(block: dict[str, Any]) -> Part | None:
    file_id = text(block.get("file_id"))
    return media.file("document", file_id) if file_id else None


_READERS: Final[dict[str, Callable[[dict[str, Any]], Part | None]]] = {
    "text": _text,
    "thinking": _thinking,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "server_tool_use": _server_tool_use,
    "mcp_tool_use": _mcp_tool_use,
    "image": _sourced("image"),
    "document": _sourced("document"),
    "container_upload": _container_upload,
}
