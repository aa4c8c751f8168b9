"""Items of OpenAI's responses, asked and answered, as parts of the conventions.

An item is a message, a call of a tool, the outcome of one, a piece of reasoning, and more; history and answers share their kinds.
Tools that the provider runs are ``server_tool_call`` parts, as are the built-in ones that it has the client run. Whatever is unknown
is passed on as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Part
from otel_llm.protocols.framing import decode_json
from otel_llm.protocols.openai_responses_content import read_content
from otel_llm.protocols.openai_responses_tools import read_tools
from otel_llm.protocols.values import text

#: Tools that the client runs, unless their outcome is in the same answer.
_FOR_CLIENT: Final = frozenset({"function_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call"})
#: xAI reports its own search of X as calls of custom tools with these names.
_X_SEARCH: Final = frozenset({"x_user_search", "x_keyword_search", "x_semantic_search", "x_thread_fetch"})
#: Calls of the provider's whose kinds do not end in ``_call``.
_OTHER_CALLS: Final = frozenset({"mcp_list_tools", "program"})
#: Of a call, what its part tells by itself, and where its outcome is.
_TOLD: Final = frozenset({"id", "call_id", "type", "name", "status"})
_OUTCOME: Final = ("results", "outputs", "output", "result", "tools", "error")


def kind_of(item: dict[str, Any]) -> str:
    """The type of an item; a message may go without."""
    return text(item.get("type")) or ("message" if "content" in item or "role" in item else "unknown")


def read_item(item: dict[str, Any]) -> list[Part]:
    """Parts of an item; none for reasoning that has no readable text."""
    kind = kind_of(item)
    if read := _READERS.get(kind):
        return read(item)
    if kind.endswith("_call") or kind in _OTHER_CALLS:
        return _server_call(item)
    if kind.endswith("_output"):
        return [_server_outcome(item, {key: value for key, value in item.items() if key not in _TOLD})]
    return [{**item, "type": kind}]


def awaits_client(items: list[dict[str, Any]]) -> bool:
    """Whether an answer leaves a tool for the client to run."""
    answered = {text(item.get("call_id")) for item in items if kind_of(item).endswith("_output")} - {None}
    return any(_is_for_client(item) and text(item.get("call_id")) not in answered for item in items)


def _is_for_client(item: dict[str, Any]) -> bool:
    match kind_of(item):
        case "custom_tool_call":
            return text(item.get("name")) not in _X_SEARCH
        case "tool_search_call":
            return item.get("execution") == "client"
        case kind:
            return kind in _FOR_CLIENT


# --- what an item becomes ---------------------------------------------------------------------------------------------


def _message(item: dict[str, Any]) -> list[Part]:
    return read_content(item.get("content"))


def _reasoning(item: dict[str, Any]) -> list[Part]:
    """The summary and the reasoning itself, once if they are the same."""
    summary, content = (_thoughts(item.get(key)) for key in ("summary", "content"))
    return summary if summary == content else summary + content


def _thoughts(content: Any) -> list[Part]:
    texts = (part.get("content") for part in read_content(content))
    return [{"type": "reasoning", "content": thought} for thought in texts if isinstance(thought, str) and thought]


def _function_call(item: dict[str, Any]) -> list[Part]:
    return [_tool_call(item, _arguments(item.get("arguments")))]


def _custom_tool_call(item: dict[str, Any]) -> list[Part]:
    """A call of a custom tool, the input of which is text, not JSON."""
    return [_tool_call(item, item.get("input"))] if _is_for_client(item) else _server_call(item)


def _tool_call(item: dict[str, Any], arguments: Any) -> Part:
    return {"type": "tool_call", "id": _call_id(item), "name": text(item.get("name")) or "", "arguments": arguments}


def _tool_outcome(item: dict[str, Any]) -> list[Part]:
    """The outcome of a tool that the client has run: its text, or its parts."""
    output = item.get("output")
    response = read_content(output) if isinstance(output, list) else output
    return [{"type": "tool_call_response", "id": _call_id(item), "response": response}]


def _server_call(item: dict[str, Any]) -> list[Part]:
    """A call, and its outcome if that is in the item too."""
    rest = {key: value for key, value in item.items() if key not in _TOLD and value is not None}
    outcome: dict[str, Any] = {key: rest.pop(key) for key in _OUTCOME if key in rest}
    if "arguments" in rest:
        rest["arguments"] = _arguments(rest["arguments"])
    tool = _tool(item)
    call = {"type": tool, **rest}
    parts: list[Part] = [
        {"type": "server_tool_call", "id": _call_id(item), "name": text(item.get("name")) or tool, "server_tool_call": call}
    ]
    return [*parts, _server_outcome(item, outcome)] if outcome else parts


def _image_generation_call(item: dict[str, Any]) -> list[Part]:
    """The call, and the image that it made."""
    image = text(item.get("result"))
    parts = _server_call({key: value for key, value in item.items() if key != "result"})
    return [*parts, media.blob("image", f"image/{text(item.get('output_format')) or 'png'}", image)] if image else parts


def _server_outcome(item: dict[str, Any], outcome: dict[str, Any]) -> Part:
    told = {"type": _tool(item), **outcome}
    return {"type": "server_tool_call_response", "id": _call_id(item), "server_tool_call_response": told}


def _with_tools(item: dict[str, Any]) -> list[Part]:
    """Tools that are offered in the middle of a conversation."""
    return [{**item, "tools": read_tools(item.get("tools"))}]


def _computer_call_output(item: dict[str, Any]) -> list[Part]:
    return [_server_outcome(item, {"output": read_content([item.get("output")])})]


def _tool_search_output(item: dict[str, Any]) -> list[Part]:
    return [_server_outcome(item, {"tools": read_tools(item.get("tools"))})]


def _compaction(item: dict[str, Any]) -> list[Part]:
    """A conversation made shorter; what is left of it is encrypted."""
    return [{"type": "compaction", "id": text(item.get("id"))}]


def _call_id(item: dict[str, Any]) -> str | None:
    """What a call and its outcome have in common; calls that hold their outcome have an id only."""
    return text(item.get("call_id")) or text(item.get("id"))


def _tool(item: dict[str, Any]) -> str:
    return kind_of(item).removesuffix("_output").removesuffix("_call")


def _arguments(arguments: Any) -> Any:
    """Arguments as JSON where they are JSON, else the text; none at all is the empty object."""
    if not isinstance(arguments, str):
        return {} if arguments is None else arguments
    try:
        return decode_json(arguments, nan=False) if arguments.strip() else {}
    except ValueError:
        return arguments


_READERS: Final[dict[str, Callable[[dict[str, Any]], list[Part]]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "custom_tool_call": _custom_tool_call,
    "function_call_output": _tool_outcome,
    "custom_tool_call_output": _tool_outcome,
    "image_generation_call": _image_generation_call,
    "computer_call_output": _computer_call_output,
    "tool_search_output": _tool_search_output,
    "additional_tools": _with_tools,
    "compaction": _compaction,
    "compaction_summary": _compaction,
}
