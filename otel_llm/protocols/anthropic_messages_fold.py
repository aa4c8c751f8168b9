"""Events of a streamed Anthropic message, folded into the message that would have come without streaming."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from otel_llm.protocols.framing import DONE, decode_json
from otel_llm.protocols.gathering import grow, settle
from otel_llm.protocols.values import elements, mapping

#: Where a piece of text ends up in its block, by the key of the delta that brings it.
_TARGETS: Final = {key: key for key in ("text", "thinking", "signature", "content")} | {"partial_json": "input"}
_GROWING: Final = tuple(_TARGETS.values())


class Fold:
    """The message so far; ``done`` once ``message_stop`` was seen."""

    __slots__ = ("_blocks", "_message", "_usage", "done")

    def __init__(self) -> None:
        self.done = False
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}

    def feed(self, event: Any) -> None:
        """Take an event. Pings, unknown events and unknown deltas are ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        match event.get("type"):
            case "content_block_delta":
                self._feed_delta(event.get("index"), mapping(event.get("delta")))
            case "content_block_start":
                self._begin_block(event.get("index"), mapping(event.get("content_block")))
            case "message_start":
                self._begin(mapping(event.get("message")))
            case "message_delta":
                self._update(self._message, mapping(event.get("delta")))
                self._update(self._usage, mapping(event.get("usage")))
            case "message_stop":
                self.done = True
            case "message":
                self._begin(event)
            case _ if event.get("error"):
                self._message.setdefault("error", event["error"])

    def body(self) -> dict[str, Any]:
        body = dict(self._message)
        if self._usage:
            body["usage"] = dict(self._usage)
        if self._blocks or "content" in body:
            body["content"] = [_settled(self._blocks[index]) for index in sorted(self._blocks)]
        return body

    def _begin(self, message: dict[str, Any]) -> None:
        self._message.update(message)
        self._usage = dict(mapping(message.get("usage")))
        for index, block in enumerate(elements(message.get("content"))):
            self._begin_block(index, mapping(block))

    def _begin_block(self, index: Any, block: dict[str, Any]) -> None:
        self._blocks[_number(index)] = grow({}, block, _GROWING)

    def _feed_delta(self, index: Any, delta: dict[str, Any]) -> None:
        block = self._blocks.setdefault(_number(index), {})
        for key, target in _TARGETS.items():
            piece = delta.get(key)
            if isinstance(piece, str):
                grow(block, {target: piece}, _GROWING)
        if citation := delta.get("citation"):
            block["citations"] = [*elements(block.get("citations")), citation]

    @staticmethod
    def _update(known: dict[str, Any], delta: dict[str, Any]) -> None:
        """What the end of a stream says replaces what its start said."""
        known.update({key: value for key, value in delta.items() if value is not None})


def _number(index: Any) -> int:
    return index if isinstance(index, int) else 0


def _settled(block: dict[str, Any]) -> dict[str, Any]:
    """A block with its texts joined and its tool arguments decoded, as far as they are complete."""
    settled = settle(block)
    arguments = settled.get("input")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):
            settled["input"] = decode_json(arguments, nan=False)
    return settled
