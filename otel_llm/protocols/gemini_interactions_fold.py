"""Events of a streamed interaction, folded into the interaction that would have come without streaming."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from otel_llm.protocols.framing import DONE, decode_json
from otel_llm.protocols.gathering import grow, settle
from otel_llm.protocols.gemini_interactions_steps import CONTENTS
from otel_llm.protocols.values import elements, mapping

_BEGUN: Final = ("interaction.created", "interaction.start")
_COMPLETE: Final = ("interaction.completed", "interaction.complete")


class Fold:
    """The interaction so far; ``done`` once it was said to be complete."""

    __slots__ = ("_interaction", "_steps", "done")

    def __init__(self) -> None:
        self.done = False
        self._interaction: dict[str, Any] = {}
        self._steps: dict[int, _Step] = {}

    def feed(self, event: Any) -> None:
        """Take an event. Unknown events and unknown deltas are ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        kind = event.get("event_type")
        if kind in ("step.start", "content.start"):
            self._steps[_number(event)] = _Step(mapping(event.get("step")) or mapping(event.get("content")))
        elif kind in ("step.delta", "content.delta"):
            self._feed_delta(_number(event), mapping(event.get("delta")))
        elif kind in _BEGUN or kind in _COMPLETE:
            self._update(mapping(event.get("interaction")))
            self.done = self.done or kind in _COMPLETE
        elif kind == "interaction.status_update":
            self._update({"id": event.get("interaction_id"), "status": event.get("status"), "usage": event.get("usage")})
        elif event.get("error"):
            self._interaction.setdefault("error", event["error"])

    def body(self) -> dict[str, Any]:
        """The interaction, with the steps as they were streamed, or else as its events told them."""
        body = dict(self._interaction)
        if self._steps:
            body["steps"] = [self._steps[index].body() for index in sorted(self._steps)]
        return body

    def _update(self, told: dict[str, Any]) -> None:
        self._interaction.update((key, value) for key, value in told.items() if value)

    def _feed_delta(self, index: int, delta: dict[str, Any]) -> None:
        step = self._steps.get(index)
        if step is None:
            step = self._steps[index] = _Step({"type": _STARTS.get(str(delta.get("type")), delta.get("type"))})
        step.feed(delta)


#: What a step is, whose start was not seen, by its first delta.
_STARTS: Final = {
    "thought_summary": "thought",
    "thought_signature": "thought",
    "arguments_delta": "function_call",
} | dict.fromkeys(CONTENTS, "model_output")


class _Step:
    """One step growing. What was streamed as a bare content (until 2026) becomes a step with that content."""

    __slots__ = ("_contents", "_key", "_step")

    def __init__(self, begun: dict[str, Any]) -> None:
        bare = begun.get("type") in CONTENTS
        self._step: dict[str, Any] = {"type": "model_output"} if bare else dict(begun)
        self._key = "summary" if self._step.get("type") == "thought" else "content"
        self._contents: list[Any] = []
        for content in [begun] if bare else elements(begun.get(self._key)):
            self._add(content)

    def feed(self, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind in CONTENTS:
            self._add(delta)
        elif kind == "thought_summary":
            self._add(delta.get("content"))
        elif kind == "arguments_delta":
            if not isinstance(self._step.get("arguments"), list):
                self._step["arguments"] = None
            grow(self._step, {"arguments": delta.get("arguments")}, ("arguments",))
        elif kind not in ("thought_signature", "text_annotation", "text_annotation_delta"):
            self._update(delta)

    def body(self) -> dict[str, Any]:
        body = settle(self._step)
        if self._contents:
            body[self._key] = [settle(content) for content in self._contents]
        if isinstance(body.get("arguments"), str):
            with contextlib.suppress(ValueError):
                body["arguments"] = decode_json(body["arguments"], nan=False)
        return body

    def _update(self, delta: dict[str, Any]) -> None:
        """Empty values never replace what is known."""
        for key, value in delta.items():
            if key != "type" and (value or (value is not None and key not in self._step)):
                self._step[key] = value

    def _add(self, piece: Any) -> None:
        """Take a content, or a piece of text that goes on with the text before it."""
        piece = {"type": "text", "text": piece} if isinstance(piece, str) else mapping(piece)
        if piece.get("type") == "text" and self._contents and self._contents[-1].get("type") == "text":
            grow(self._contents[-1], {"text": piece.get("text")}, ("text",))
        elif piece:
            self._contents.append(grow({}, piece, ("text",)))


def _number(event: dict[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0
