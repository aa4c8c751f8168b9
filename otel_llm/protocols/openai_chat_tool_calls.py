"""Tool calls of a streamed choice, which arrive in pieces and interleaved."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.gathering import grow, settle
from otel_llm.protocols.values import mapping


class ToolCalls:
    """The tool calls of one choice, in the order in which they began."""

    __slots__ = ("_by_index", "_calls")

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._by_index: dict[int, dict[str, Any]] = {}

    def feed(self, piece: dict[str, Any]) -> None:
        """Take a piece of the call that its index names: id and name come first, then arguments, null or cut anywhere."""
        index = piece.get("index")
        if not isinstance(index, int):
            index = max(self._by_index, default=0)
        call = self._by_index.get(index)
        if call is None or _begins_another(call, piece):
            call = self._by_index[index] = {"function": {}, "custom": {}}
            self._calls.append(call)
        grow(call, {key: value for key, value in piece.items() if key not in ("function", "custom")})
        grow(call["function"], mapping(piece.get("function")), ("arguments",))
        grow(call["custom"], mapping(piece.get("custom")), ("input",))

    def body(self) -> list[dict[str, Any]]:
        return [{**call, "function": settle(call["function"]), "custom": settle(call["custom"])} for call in self._calls]


def _begins_another(call: dict[str, Any], piece: dict[str, Any]) -> bool:
    """Some vendors number parallel calls all alike, or not at all: another id with a name is another call."""
    named = mapping(piece.get("function")).get("name") or mapping(piece.get("custom")).get("name")
    return bool(named and call.get("id") and piece.get("id") and call["id"] != piece["id"])
