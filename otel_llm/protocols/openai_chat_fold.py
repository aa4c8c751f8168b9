"""Chunks of a streamed chat completion, folded into the completion that would have come without streaming."""

from __future__ import annotations

import base64
import contextlib
from typing import Any, Final

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gathering import Pieces, grow, settle
from otel_llm.protocols.openai_chat_tool_calls import ToolCalls
from otel_llm.protocols.values import elements, mapping, mappings

#: Of these the first value that is not empty counts (Azure's first chunk has empty ones); of anything else the last.
_FIRST_COUNTS: Final = frozenset({"id", "model", "error"})
#: Texts of a delta, which arrive in pieces. Content may also be a list.
_TEXTS: Final = frozenset({"content", "reasoning_content", "reasoning", "refusal"})


#: Of a choice, where the last value that is not empty counts. Moonshot puts the usage here.
_BESIDE_MESSAGE: Final = ("finish_reason", "error", "usage")


class Fold:
    """The completion so far; ``done`` once ``[DONE]`` was seen, which some vendors never send."""

    __slots__ = ("_choices", "_top", "done")

    def __init__(self) -> None:
        self.done = False
        self._top: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def feed(self, event: Any) -> None:
        """Take a chunk. Nulls and empty values never replace what is known; anything that is no chunk is ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        top = self._top
        for key, value in event.items():
            if key == "choices":
                for choice in mappings(value):
                    self._choice(choice.get("index")).feed(choice)
            elif value and (key not in top or key not in _FIRST_COUNTS):
                top[key] = value

    def body(self) -> dict[str, Any]:
        body = dict(self._top)
        if self._choices:
            body["choices"] = [self._choices[index].body(index) for index in sorted(self._choices)]
        return body

    def _choice(self, index: Any) -> _Choice:
        index = index if isinstance(index, int) else 0
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice


class _Choice:
    """One choice: its message growing, and what stands beside the message."""

    __slots__ = ("_audio", "_calls", "_details", "_function", "_images", "_message", "_rest", "_said", "_tools")

    def __init__(self) -> None:
        self._rest: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._said: dict[str, list[Any]] = {}
        self._calls = ToolCalls()
        self._function: dict[str, Any] = {}
        self._details: dict[tuple[str, int], dict[str, Any]] = {}
        self._tools: dict[int, dict[str, Any]] = {}
        self._images: list[Any] = []
        self._audio: dict[str, Any] = {}

    def feed(self, choice: dict[str, Any]) -> None:
        for key in _BESIDE_MESSAGE:
            if value := choice.get(key):
                self._rest[key] = value
        delta = choice["delta"] if "delta" in choice else choice.get("message")
        if not isinstance(delta, dict):
            return
        for key, value in delta.items():
            if key in _TEXTS and isinstance(value, str | list):
                self._said.setdefault(key, []).append(value)
            elif value:
                self._feed_other(key, value)

    def _feed_other(self, key: str, value: Any) -> None:
        match key:
            case "tool_calls":
                for call in mappings(value):
                    self._calls.feed(call)
            case "function_call":
                grow(self._function, mapping(value), ("arguments",))
            case "reasoning_details":
                for detail in mappings(value):
                    known = self._details.setdefault((str(detail.get("type")), _index(detail)), {})
                    grow(known, detail, ("text", "summary"))
            case "executed_tools":
                for tool in mappings(value):
                    grow(self._tools.setdefault(_index(tool), {}), tool)
            case "images":
                self._images.extend(elements(value))
            case "audio":
                grow(self._audio, mapping(value), ("transcript", "data"))
            case _:
                self._message[key] = value

    def body(self, index: int) -> dict[str, Any]:
        gathered = {
            "tool_calls": self._calls.body(),
            "function_call": settle(self._function),
            "reasoning_details": [settle(detail) for detail in self._details.values()],
            "executed_tools": list(self._tools.values()),
            "images": list(self._images),
            "audio": _joined_audio(self._audio),
        }
        message = {
            **self._message,
            **{key: _joined(pieces) for key, pieces in self._said.items()},
            **{key: value for key, value in gathered.items() if value},
        }
        return {"index": index, "message": message, **self._rest}


def _index(piece: dict[str, Any]) -> int:
    index = piece.get("index")
    return index if isinstance(index, int) else 0


def _joined(pieces: list[Any]) -> Any:
    """One text; or, once a vendor sent lists of parts (Mistral), the list with texts and thoughts run together."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(pieces)
    parts: list[dict[str, Any]] = []
    for piece in filter(None, pieces):
        for part in [{"type": "text", "text": piece}] if isinstance(piece, str) else mappings(piece):
            if not (parts and _continues(parts[-1], part)):
                parts.append(_begun(part))
    return [settle(part) for part in parts]


def _begun(part: dict[str, Any]) -> dict[str, Any]:
    """A copy that may grow, with a list of thoughts of its own."""
    thinking = part.get("thinking")
    return grow({}, {**part, "thinking": list(thinking)} if isinstance(thinking, list) else part, ("text", "thinking"))


def _continues(last: dict[str, Any], part: dict[str, Any]) -> bool:
    """Take a text or thinking part into the one before it, if both are of one kind."""
    kind = part.get("type")
    if kind not in ("text", "thinking") or last.get("type") != kind:
        return False
    if isinstance(last.get(kind), list) and not isinstance(last[kind], Pieces):
        last[kind].extend(elements(part.get(kind)))
    else:
        grow(last, part, (kind,))
    return True


def _joined_audio(audio: dict[str, Any]) -> dict[str, Any]:
    """Pieces of sound are each base64 on their own, so they are decoded before they are joined."""
    pieces, joined = audio.get("data"), settle(audio)
    if isinstance(pieces, Pieces):
        with contextlib.suppress(ValueError):
            sound = b"".join(base64.b64decode(piece, validate=True) for piece in pieces)
            joined["data"] = base64.b64encode(sound).decode()
    return joined
