"""Steps and contents of an interaction, asked and answered, as parts of the conventions. Unknown ones are passed on as sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Part
from otel_llm.protocols.values import mapping, text

#: Contents that a message or a function's outcome holds.
CONTENTS: Final = ("text", "image", "audio", "video", "document")

_ROLES: Final = {"model": "assistant", "user_input": "user", "function_result": "tool"} | dict.fromkeys(CONTENTS, "user")


def role_of(step: dict[str, Any]) -> str:
    """Who speaks: as the turn says, or by the kind of step. What the model did on its own side is the model's."""
    said = text(step.get("role"))
    if said:
        return _ROLES.get(said, said)
    kind = text(step.get("type"))
    return _ROLES.get(kind, "assistant") if kind else "user"


def read_step(step: dict[str, Any]) -> list[Part]:
    """Parts of a step, of a turn, or of a bare content."""
    if "content" not in step:
        return _read_item(step)
    contents = step["content"]
    given = contents if isinstance(contents, list) else [contents]
    return [part for each in given for part in _read_item(_content(each))]


def _read_item(item: dict[str, Any]) -> list[Part]:
    kind = text(item.get("type"))
    if kind == "thought":
        return _thought(item)
    if kind in ("user_input", "model_output"):
        return []
    name, _, stage = (kind or "").rpartition("_")
    if name and stage in _STAGES:
        return [_STAGES[stage](name, item)]
    part = _read_content(item)
    return [] if part is None else [part]


def _read_contents(contents: Any) -> list[Part]:
    """Parts of a text, of one content, or of a list of contents."""
    given = contents if isinstance(contents, list) else [contents]
    parts = (_read_content(_content(each)) for each in given)
    return [part for part in parts if part is not None]


def _content(given: Any) -> dict[str, Any]:
    return {"type": "text", "text": given} if isinstance(given, str) else mapping(given)


def _read_content(content: dict[str, Any]) -> Part | None:
    """The part for a content; None for an empty one."""
    kind = text(content.get("type")) or "text"
    if kind == "text":
        return {"type": "text", "content": content["text"]} if text(content.get("text")) else None
    data, uri, mime_type = (text(content.get(key)) for key in ("data", "uri", "mime_type"))
    if kind in CONTENTS and data:
        return media.blob(kind, mime_type, data)
    if kind in CONTENTS and uri:
        part = media.located(kind, uri)
        return {"mime_type": mime_type, **part} if mime_type else part
    return {**content, "type": kind}


def _thought(step: dict[str, Any]) -> list[Part]:
    """The summary of a thought, which may have none and only a signature."""
    parts = _read_contents(step.get("summary"))
    return [{**part, "type": "reasoning"} if part["type"] == "text" else part for part in parts]


def _call(tool: str, step: dict[str, Any]) -> Part:
    """A call of a function of the caller's, or of a tool that Google runs."""
    if tool == "function":
        return _function_call(step)
    arguments = {"type": tool, "arguments": step.get("arguments") or {}}
    if server := text(step.get("server_name")):
        arguments["server_name"] = server
    called = {"name": text(step.get("name")) or tool, "server_tool_call": arguments}
    return {"type": "server_tool_call", "id": text(step.get("id")), **called}


def _function_call(call: dict[str, Any]) -> Part:
    name, arguments = text(call.get("name")) or "", call.get("arguments") or {}
    return {"type": "tool_call", "id": text(call.get("id")), "name": name, "arguments": arguments}


def _result(tool: str, step: dict[str, Any]) -> Part:
    call_id, result = text(step.get("call_id")), step.get("result")
    failed = {"is_error": True} if step.get("is_error") is True else {}
    if tool == "function":
        response = _read_contents(result) if isinstance(result, list) else result
        return {"type": "tool_call_response", "id": call_id, "response": response, **failed}
    outcome = {"type": tool, "result": result, **failed}
    return {"type": "server_tool_call_response", "id": call_id, "server_tool_call_response": outcome}


_STAGES: Final[dict[str, Callable[[str, dict[str, Any]], Part]]] = {"call": _call, "result": _result}
