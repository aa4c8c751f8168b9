"""Lines of a streamed answer of Ollama's, folded into the one object that would have come without streaming."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gathering import grow, settle
from otel_llm.protocols.values import elements

#: Texts that arrive in pieces: of a chat's message, and of a generation.
_TEXTS: Final = ("content", "response", "thinking")


class Fold:
    """The answer so far; ``done`` once a line said so, which is also the line with the token counts."""

    __slots__ = ("_answer", "_message", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: dict[str, Any] = {}
        self._message: dict[str, Any] | None = None

    def feed(self, event: Any) -> None:
        """Take a line. An error may be a line of its own, after any other."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        if isinstance(event.get("message"), dict):
            self._message = self._message or {}
            _gather(self._message, event["message"])
        _gather(self._answer, {key: value for key, value in event.items() if key != "message"})
        self.done = self.done or event.get("done") is True

    def body(self) -> dict[str, Any]:
        message = {} if self._message is None else {"message": settle(self._message)}
        return {**settle(self._answer), **message}


def _gather(known: dict[str, Any], piece: dict[str, Any]) -> None:
    """Texts are joined; tool calls, which arrive whole, are listed; of anything else the last value counts."""
    for key, value in piece.items():
        if key in _TEXTS:
            grow(known, {key: value}, _TEXTS)
        elif key == "tool_calls":
            known.setdefault(key, []).extend(elements(value))
        elif value is not None:
            known[key] = value
