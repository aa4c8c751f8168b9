"""Anthropic's old text completions: ``POST .../v1/complete``. Streams are ``completion`` events; there is no usage."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import RequestFacts, ResponseFacts
from otel_llm.protocols.failure import failure
from otel_llm.protocols.framing import DONE
from otel_llm.protocols.values import AttributeTable, count, integer, mapping, number, read_attributes, text, texts

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "anthropic_complete"
OPERATION: Final = semconv.TEXT_COMPLETION

_ATTRIBUTES: Final[AttributeTable] = {
    "max_tokens_to_sample": (semconv.REQUEST_MAX_TOKENS, count),
    "temperature": (semconv.REQUEST_TEMPERATURE, number),
    "top_p": (semconv.REQUEST_TOP_P, number),
    "top_k": (semconv.REQUEST_TOP_K, integer),
    "stop_sequences": (semconv.REQUEST_STOP_SEQUENCES, texts),
}
_FINISH_REASONS: Final = {"stop_sequence": "stop", "max_tokens": "length"}


def matches(body: Any) -> bool:
    """A prompt, and the limit under the name that this API alone uses."""
    body = mapping(body)
    return text(body.get("prompt")) is not None and count(body.get("max_tokens_to_sample")) is not None


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request; the prompt is one message."""
    body = mapping(body)
    prompt = body.get("prompt")
    return RequestFacts(
        operation=OPERATION,
        model=text(body.get("model")),
        stream=body.get("stream") is True,
        attributes=read_attributes(body, _ATTRIBUTES),
        messages=[{"role": "user", "parts": [{"type": "text", "content": prompt}]}] if isinstance(prompt, str) else [],
    )


def response(body: Any) -> ResponseFacts:
    """Facts of a completion, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    sent = text(body.get("stop_reason"))
    reason = _FINISH_REASONS.get(sent, sent) if sent else None
    message: dict[str, Any] = {"role": "assistant", "parts": [{"type": "text", "content": body.get("completion")}]}
    if reason:
        message["finish_reason"] = reason
    return ResponseFacts(
        id=text(body.get("id")) or text(body.get("log_id")),
        model=text(body.get("model")),
        finish_reasons=(reason,) if reason else (),
        messages=[message] if isinstance(body.get("completion"), str) else [],
        error=failure(body),
    )


class Fold:
    """The completion so far; ``done`` once a reason to stop was given."""

    __slots__ = ("_known", "_pieces", "done")

    def __init__(self) -> None:
        self.done = False
        self._known: dict[str, Any] = {}
        self._pieces: list[str] = []

    def feed(self, event: Any) -> None:
        """Take an event; pings and unknown events are ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        if isinstance(event.get("completion"), str):
            self._pieces.append(event["completion"])
        self._known |= {key: value for key, value in event.items() if value is not None}
        self.done = self.done or event.get("stop_reason") is not None

    def body(self) -> dict[str, Any]:
        """The completion that a call without streaming would have returned."""
        return self._known | ({"completion": "".join(self._pieces)} if self._pieces else {})
