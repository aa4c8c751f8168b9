"""Parts of Gemini's contents, asked and answered, as parts of the conventions. Unknown ones are passed on as sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Message, Part
from otel_llm.protocols.gemini_names import camel, camels
from otel_llm.protocols.values import mapping, text

_ROLES: Final = {"model": "assistant", "function": "tool"}
#: What stands beside the data of a part and is none itself. Signatures are opaque and large.
_BESIDE: Final = frozenset(
    {"thought", "thoughtSignature", "videoMetadata", "mediaResolution", "mediaProcessing", "partMetadata", "text"}
)
#: A file that was uploaded to Google is named by its id; any other is at its URI.
_UPLOADED: Final = re.compile(r"(?:https://generativelanguage\.googleapis\.com/\w+/)?(files/[\w-]+)")
_MODALITIES: Final = ("text", "image", "audio", "video")


def read_message(content: Any, default_role: str) -> Message:
    """A message from a content: an object with a role and parts, or a string."""
    role = text(mapping(content).get("role")) or default_role
    return {"role": _ROLES.get(role, role), "parts": read_parts(content)}


def read_parts(content: Any) -> list[Part]:
    """Parts of a content, given as an object with ``parts``, as a string, or as a list of parts."""
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    if isinstance(content, dict):
        content = content.get("parts", [content] if "text" in content else [])
    given = content if isinstance(content, list) else [content]
    parts = ({"type": "text", "content": part} if isinstance(part, str) else _read_part(camel(part)) for part in given)
    return [part for part in parts if part]


def joined(parts: Iterable[Part]) -> list[Part]:
    """The parts, with neighbouring texts and neighbouring thoughts run together: a stream brings them in pieces."""
    runs: list[tuple[Part, list[str]]] = []
    for part in parts:
        if part["type"] not in ("text", "reasoning"):
            runs.append((part, []))
        elif runs and runs[-1][0]["type"] == part["type"]:
            runs[-1][1].append(part["content"])
        else:
            runs.append((part, [part["content"]]))
    return [{**part, "content": "".join(pieces)} if pieces else part for part, pieces in runs]


def modality(mime_type: str | None) -> str:
    kind = (mime_type or "").partition("/")[0]
    return kind if kind in _MODALITIES else "document"


def _read_part(part: dict[str, Any]) -> Part | None:
    """The part; None for one that says nothing, such as an empty text that only carries a signature."""
    said = part.get("text")
    if isinstance(said, str) and said:
        return {"type": "reasoning" if part.get("thought") is True else "text", "content": said}
    known = (key for key in _READERS if part.get(key) is not None)
    kind = next(known, None) or next((key for key in part if key not in _BESIDE), None)
    if kind is None:
        return None
    read, data = _READERS.get(kind), part[kind]
    return (read(camel(data)) if read and isinstance(data, dict) else None) or {kind: data, "type": kind}


def _inline_data(data: dict[str, Any]) -> Part | None:
    content, mime_type = text(data.get("data")), text(data.get("mimeType"))
    return media.blob(modality(mime_type), mime_type, content) if content else None


def _file_data(data: dict[str, Any]) -> Part | None:
    uri, mime_type = text(data.get("fileUri")), text(data.get("mimeType"))
    if uri is None:
        return None
    uploaded = _UPLOADED.fullmatch(uri)
    part = media.file(modality(mime_type), uploaded[1]) if uploaded else media.located(modality(mime_type), uri)
    return {"mime_type": mime_type, **part} if mime_type else part


def _function_call(call: dict[str, Any]) -> Part:
    return {
        "type": "tool_call",
        "id": text(call.get("id")),
        "name": text(call.get("name")) or "",
        "arguments": call.get("args") or {},
    }


def _function_response(outcome: dict[str, Any]) -> Part:
    """The outcome of a function, with the media that came with it. Older models have no id, but the name."""
    media_parts = [_read_media(part) for part in camels(outcome.get("parts"))]
    response = outcome.get("response")
    part: Part = {
        "type": "tool_call_response",
        "id": text(outcome.get("id")),
        "response": [response, *media_parts] if media_parts else response,
    }
    name = text(outcome.get("name"))
    return {**part, "name": name} if name else part


def _read_media(part: dict[str, Any]) -> Part:
    return _inline_data(camel(part.get("inlineData"))) or _file_data(camel(part.get("fileData"))) or {"type": "unknown", **part}


def _executable_code(code: dict[str, Any]) -> Part:
    call = {"type": "code_execution", "language": code.get("language"), "code": code.get("code")}
    return {"type": "server_tool_call", "id": text(code.get("id")), "name": "code_execution", "server_tool_call": call}


def _code_execution_result(result: dict[str, Any]) -> Part:
    outcome = {"type": "code_execution", "outcome": result.get("outcome"), "output": result.get("output")}
    return {"type": "server_tool_call_response", "id": text(result.get("id")), "server_tool_call_response": outcome}


def _tool_call(call: dict[str, Any]) -> Part:
    name = text(call.get("toolType")) or "unknown"
    arguments = {"type": name, "arguments": call.get("args") or {}}
    return {"type": "server_tool_call", "id": text(call.get("id")), "name": name, "server_tool_call": arguments}


def _tool_response(outcome: dict[str, Any]) -> Part:
    response = {"type": text(outcome.get("toolType")) or "unknown", "response": outcome.get("response")}
    return {"type": "server_tool_call_response", "id": text(outcome.get("id")), "server_tool_call_response": response}


_READERS: Final[dict[str, Callable[[dict[str, Any]], Part | None]]] = {
    "inlineData": _inline_data,
    "fileData": _file_data,
    "functionCall": _function_call,
    "functionResponse": _function_response,
    "executableCode": _executable_code,
    "codeExecutionResult": _code_execution_result,
    "toolCall": _tool_call,
    "toolResponse": _tool_response,
}
