"""Events of a streamed chat of Cohere's v2, folded into the answer that would have come without streaming."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gathering import Pieces, grow, settle
from otel_llm.protocols.openai_chat_tool_calls import ToolCalls
from otel_llm.protocols.values import elements, mapping, mappings

#: Texts of a content part, which arrive in pieces; each is named by the part's type.
_TEXTS: Final = ("thinking", "text")


class Fold:
    """The answer so far; ``done`` once ``message-end`` was seen, behind which there is at most a ``[DONE]``."""

    __slots__ = ("_answer", "_calls", "_content", "_message", "_plan", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._plan = Pieces()
        self._content: dict[int, dict[str, Any]] = {}
        self._calls = ToolCalls()

    def feed(self, event: Any) -> None:
        """Take an event. Citations, ends of parts and unknown events are ignored; what is no event is a body of its own."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        delta = mapping(event.get("delta"))
        message = mapping(delta.get("message"))
        match event.get("type"):
            case "content-start" | "content-delta":
                self._feed_content(event.get("index"), mapping(message.get("content")))
            case "tool-plan-delta":
                self._feed_plan(message)
            case "tool-call-start" | "tool-call-delta":
                self._feed_call(event.get("index"), message.get("tool_calls"))
            case "message-start":
                self._answer["id"] = event.get("id")
                self._begin(message)
            case "message-end":
                self._answer.update({key: value for key, value in delta.items() if value is not None})
                self.done = True
            case None:
                self._take(event)
            case _ if event.get("error"):
                self._answer["error"] = event["error"]

    def body(self) -> dict[str, Any]:
        calls = self._calls.body()
        gathered = {
            "tool_plan": "".join(self._plan),
            "content": [settle(part) for part in self._content.values()],
            "tool_calls": calls,
        }
        message = {**self._message, **{key: value for key, value in gathered.items() if value}}
        return {**self._answer, "message": message} if message else dict(self._answer)

    def _take(self, body: dict[str, Any]) -> None:
        """A whole answer, or an error."""
        self._answer.update({key: value for key, value in body.items() if key != "message"})
        if isinstance(body.get("message"), dict):
            self._begin(body["message"])
        elif "message" in body:
            self._answer["message"] = body["message"]

    def _begin(self, message: dict[str, Any]) -> None:
        self._message.update(
            {key: value for key, value in message.items() if key not in ("content", "tool_plan", "tool_calls")}
        )
        for index, part in enumerate(mappings(message.get("content"))):
            self._feed_content(index, part)
        self._feed_plan(message)
        for index, call in enumerate(elements(message.get("tool_calls"))):
            self._feed_call(index, call)

    def _feed_content(self, index: Any, part: dict[str, Any]) -> None:
        if not part:
            return
        known = self._content.setdefault(index if isinstance(index, int) else 0, {})
        kind = next((key for key in _TEXTS if isinstance(part.get(key), str)), None)
        grow(known, {"type": kind, **part} if kind else part, _TEXTS)

    def _feed_plan(self, message: dict[str, Any]) -> None:
        if isinstance(message.get("tool_plan"), str):
            self._plan.append(message["tool_plan"])

    def _feed_call(self, index: Any, call: Any) -> None:
        for piece in mappings(call if isinstance(call, list) else [call]):
            self._calls.feed({**piece, "index": index})
