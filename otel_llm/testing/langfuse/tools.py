"""Tool definitions and tool calls that the server indexes from an observation's input, output and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from otel_llm.testing.langfuse import javascript

DEFINITIONS: Final = "gen_ai.tool.definitions"
_OTHER_DEFINITIONS: Final = "ai.prompt.tools"
_CALL_PARTS: Final = ("tool_use", "tool-call")


class Tools(NamedTuple):
    """What a row says about tools, and its content: the input may have been rewritten to hold the definitions."""

    input: str
    output: str
    #: Attributes that were moved into the input, and so are not metadata any more.
    moved: frozenset[str]
    #: Name to JSON text of description and parameters.
    definitions: dict[str, str]
    #: JSON text of id, arguments, type and index, one per call.
    calls: list[str]
    #: Names of the calls, in the same order.
    names: list[str]


def tools(given: str, made: str, attributes: dict[str, Any]) -> Tools:
    """Read an observation's stored input and output and the span's attributes."""
    decoded = _decoded(given)
    definitions, moved = _definitions_in_attributes(attributes)
    if definitions and (merged := _with_tools(decoded, definitions)) is not None:
        decoded, given = merged, javascript.stringify(merged)
    else:
        moved = frozenset()
    calls = list(_distinct(_calls(_decoded(made))))
    return Tools(
        given,
        made,
        moved,
        {name: described for name, described in map(_described, reversed(list(_definitions(decoded)))) if name},
        [javascript.stringify({key: call[key] for key in ("id", "arguments", "type", "index")}) for call in calls],
        [call["name"] for call in calls],
    )


def _decoded(content: str) -> Any:
    return javascript.parsed(content) if content else None


def _definitions_in_attributes(attributes: dict[str, Any]) -> tuple[list[Any], frozenset[str]]:
    """Definitions on the span. All or nothing: one entry without a name, and an attribute is left alone."""
    found: list[Any] = []
    moved = set()
    for attribute, nameless_too in ((_OTHER_DEFINITIONS, True), (DEFINITIONS, False)):
        entries = [javascript.parsed(entry) for entry in _as_list(attributes.get(attribute))]
        if entries and all(_is_definition(entry, nameless_too) for entry in entries):
            found += entries
            moved.add(attribute)
    return found, frozenset(moved)


def _is_definition(entry: Any, nameless_too: bool) -> bool:
    if not isinstance(entry, dict):
        return False
    return bool(_name(entry)) or (nameless_too and isinstance(entry.get("type"), str))


def _with_tools(decoded: Any, definitions: list[Any]) -> dict[str, Any] | None:
    """The input with definitions in it. None if it is JSON that has no place for them."""
    if decoded is None:
        return {"tools": definitions}
    if isinstance(decoded, list):
        return {"messages": decoded, "tools": definitions}
    if isinstance(decoded, dict):
        known = decoded.get("tools") or []
        if not isinstance(known, list):
            return None
        names = {_name(entry) for entry in known} - {""}
        return {**decoded, "tools": [*known, *(one for one in definitions if _name(one) not in names)]}
    return {"prompt": decoded, "tools": definitions} if isinstance(decoded, str) else None


def _definitions(decoded: Any) -> Iterator[dict[str, Any]]:
    """Definitions beside the messages, and those on a message."""
    if isinstance(decoded, list):
        decoded = {"messages": decoded}
    if isinstance(decoded, dict):
        for holder in (decoded, *_as_list(decoded.get("messages"))):
            if isinstance(holder, dict) and isinstance(holder.get("tools"), list):
                yield from (entry for entry in map(javascript.parsed, holder["tools"]) if isinstance(entry, dict))


def _described(definition: dict[str, Any]) -> tuple[str, str]:
    function = _function(definition)
    parameters = function.get("parameters") or function.get("inputSchema")
    described = {
        "description": function.get("description") or "",
        "parameters": javascript.stringify(parameters) if parameters else "",
    }
    return _name(definition), javascript.stringify(described)


def _name(entry: Any) -> str:
    """The name of a definition or a call; empty if it has none."""
    name = _first(_function(entry), "name", "toolName") if isinstance(entry, dict) else None
    return javascript.text(name) if name else ""


def _function(entry: dict[str, Any]) -> dict[str, Any]:
    """What is described: OpenAI's chat API nests it, others do not."""
    nested = entry.get("function")
    return nested if isinstance(nested, dict) else entry


def _calls(decoded: Any) -> Iterator[dict[str, Any]]:
    """Calls in an output. Parts of the conventions (``parts: [{"type": "tool_call"}]``) are not recognised."""
    for message in decoded if isinstance(decoded, list) else [decoded]:
        if isinstance(message, dict):
            yield from _calls_of_message(message)
            for choice in _as_list(message.get("choices")):
                if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
                    yield from _each_call(_as_list(choice["message"].get("tool_calls")))


def _calls_of_message(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from _each_call(_as_list(message.get("tool_calls")))
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    yield from _each_call(part for part in parts if isinstance(part, dict) and part.get("type") in _CALL_PARTS)
    if isinstance(extra := message.get("additional_kwargs"), dict):
        yield from _each_call(_as_list(extra.get("tool_calls")))


def _each_call(entries: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        if name := _name(entry):
            arguments = _first(_function(entry), "arguments", "args", "input")
            yield {
                "id": javascript.text(_first(entry, "id", "toolCallId", "call_id") or ""),
                "name": name,
                "arguments": javascript.text({} if arguments is None else arguments),
                "type": entry.get("type") or ("function" if "function" in entry else ""),
                "index": entry.get("index") or 0,
            }


def _distinct(calls: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One call per id; calls without an id count by name and arguments."""
    seen = set()
    for call in calls:
        key = call["id"] or f"{call['name']}-{call['arguments']}"
        if key not in seen:
            seen.add(key)
            yield call


def _first(entry: dict[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _as_list(value: Any) -> list[Any]:
    decoded = javascript.parsed(value)
    return decoded if isinstance(decoded, list) else []
