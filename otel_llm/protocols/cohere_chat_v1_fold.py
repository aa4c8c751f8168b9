"""Events of a streamed chat of Cohere's v1, folded into the answer that would have come without streaming."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gathering import Pieces
from otel_llm.protocols.values import elements, mapping


class Fold:
    """The answer so far; ``done`` once ``stream-end`` was seen, which repeats all of it."""

    __slots__ = ("_answer", "_text", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: dict[str, Any] = {}
        self._text = Pieces()

    def feed(self, event: Any) -> None:
        """Take an event. Searches, citations and pieces of tool calls are ignored: tool calls also come whole."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        match event.get("event_type"):
            case "text-generation" | "tool-calls-chunk":
                self._text.extend(piece for piece in [event.get("text")] if isinstance(piece, str))
            case "stream-start":
                self._answer["generation_id"] = event.get("generation_id")
            case "tool-calls-generation":
                self._answer["tool_calls"] = elements(event.get("tool_calls"))
            case "stream-end":
                self._answer.update(mapping(event.get("response")))
                self._answer.update({key: event[key] for key in ("finish_reason", "error") if event.get(key)})
                self.done = True
            case None:
                self._answer.update(event)
            case _ if event.get("error"):
                self._answer["error"] = event["error"]

    def body(self) -> dict[str, Any]:
        return {"text": "".join(self._text), **self._answer} if self._text else dict(self._answer)
