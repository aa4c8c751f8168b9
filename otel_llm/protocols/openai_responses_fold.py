"""Events of a streamed response, folded into the response that would have come without streaming.

The last event carries the whole response. Of a stream that was cut before it, the response is put together from its pieces.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gathering import Pieces, grow, settle
from otel_llm.protocols.values import elements, mapping, text

_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})

#: Once told, for the whole of a stream.
_KEPT: Final = ("id", "model", "error")


class _Place(NamedTuple):
    """Where a text belongs: a key of an item of this type, or of a part of this type in one of the item's lists."""

    item: str
    key: str
    part: str | None = None
    among: str | None = None


#: By event type without its ``.delta`` or ``.done``.
_TEXTS: Final = {
    "response.output_text": _Place("message", "text", "output_text", "content"),
    "response.refusal": _Place("message", "refusal", "refusal", "content"),
    "response.reasoning_text": _Place("reasoning", "text", "reasoning_text", "content"),
    "response.reasoning_summary_text": _Place("reasoning", "text", "summary_text", "summary"),
    "response.function_call_arguments": _Place("function_call", "arguments"),
    "response.mcp_call_arguments": _Place("mcp_call", "arguments"),
    "response.custom_tool_call_input": _Place("custom_tool_call", "input"),
    "response.code_interpreter_call_code": _Place("code_interpreter_call", "code"),
}
_LISTS: Final = ("content", "summary")
_GROWING: Final = tuple({place.key for place in _TEXTS.values()})


class Fold:
    """The response so far; ``done`` once it has ended, which no ``[DONE]`` tells with most vendors."""

    __slots__ = ("_items", "_response", "done")

    def __init__(self) -> None:
        self.done = False
        self._response: dict[str, Any] = {}
        self._items: dict[Any, _Item] = {}

    def feed(self, event: Any) -> None:
        """Take an event by the type that its JSON names. Unknown events are ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        kind = text(event.get("type")) or ""
        stem, _, step = kind.rpartition(".")
        if place := _TEXTS.get(stem):
            self._item(event).take_text(place, event, whole=step == "done")
        elif stem == "response.output_item":
            self._item(event).take(mapping(event.get("item")), whole=step == "done")
        elif stem in ("response.content_part", "response.reasoning_summary_part"):
            self._item(event).take_part(
                "content" if stem == "response.content_part" else "summary", event, whole=step == "done"
            )
        elif isinstance(event.get("response"), dict):
            self._take(event["response"])
            self.done = self.done or kind in _TERMINAL
        elif event.get("object") == "response":
            self._take(event)
        elif kind == "error" or event.get("error"):
            self._fail(event)

    def body(self) -> dict[str, Any]:
        """The response that a call without streaming would have returned."""
        if self._response.get("output") or not self._items:
            return dict(self._response)
        return {**self._response, "output": [item.body() for item in self._items.values()]}

    def _item(self, event: dict[str, Any]) -> _Item:
        index = event.get("output_index")
        key = index if isinstance(index, int) else text(event.get("item_id"))
        item = self._items.get(key)
        if item is None:
            item = self._items[key] = _Item()
        return item

    def _take(self, response: dict[str, Any]) -> None:
        """An event that carries the response as it is then replaces what was said of it before."""
        kept = {key: self._response[key] for key in _KEPT if key in self._response}
        self._response = kept | {key: value for key, value in response.items() if value is not None}

    def _fail(self, event: dict[str, Any]) -> None:
        error = event.get("error") or {key: value for key, value in event.items() if key != "type"}
        self._response.setdefault("error", error)
        self._response["status"] = "failed"


class _Item:
    """One item of the output: what it began as, what has grown, and what it was declared to be at its end."""

    __slots__ = ("_grown", "_parts", "_whole")

    def __init__(self) -> None:
        self._grown: dict[str, Any] = {}
        self._parts: dict[str, dict[int, dict[str, Any]]] = {key: {} for key in _LISTS}
        self._whole: dict[str, Any] = {}

    def take(self, item: dict[str, Any], *, whole: bool) -> None:
        if whole:
            self._whole = item
            return
        grow(self._grown, {key: value for key, value in item.items() if key not in _LISTS}, _GROWING)
        for key in _LISTS:
            for index, part in enumerate(elements(item.get(key))):
                self._part(key, index, mapping(part))

    def take_part(self, key: str, event: dict[str, Any], *, whole: bool) -> None:
        part = self._part(key, event.get(f"{key}_index"), {})
        if whole:
            part.clear()
        grow(part, mapping(event.get("part")), _GROWING)

    def take_text(self, place: _Place, event: dict[str, Any], *, whole: bool) -> None:
        """Take a piece of a text, or the whole text at its end, which replaces its pieces."""
        said = event.get(place.key if whole else "delta")
        if not isinstance(said, str):
            return
        grow(self._grown, {"type": place.item, "id": event.get("item_id")})
        target = self._grown
        if place.among is not None:
            target = self._part(place.among, event.get(f"{place.among}_index"), {"type": place.part})
        if whole:
            target[place.key] = Pieces([said])
        else:
            grow(target, {place.key: said}, _GROWING)

    def body(self) -> dict[str, Any]:
        known = settle(self._grown)
        known |= {key: [settle(parts[index]) for index in sorted(parts)] for key, parts in self._parts.items() if parts}
        return known | {key: value for key, value in self._whole.items() if value or key not in known}

    def _part(self, key: str, index: Any, part: dict[str, Any]) -> dict[str, Any]:
        parts = self._parts[key]
        known = parts.setdefault(index if isinstance(index, int) else 0, {})
        return grow(known, part, _GROWING)
