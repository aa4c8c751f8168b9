"""One request that the fake provider saw, and what it sent back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.reply import Reply
from otel_llm.testing.server import Headers

OPENAI_CHAT = "openai_chat"
ANTHROPIC_MESSAGES = "anthropic_messages"
#: Protocols whose exchanges are model calls, which replies are for.
INFERENCE = frozenset({OPENAI_CHAT, ANTHROPIC_MESSAGES})
COUNT_TOKENS = "count_tokens"
MODELS = "models"
#: The end of a path says the protocol, whatever stands before it.
_ENDINGS = {
    "/chat/completions": OPENAI_CHAT,
    "/v1/messages": ANTHROPIC_MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
    "/models": MODELS,
}
#: Strings of a message or tool that are no text of it.
_NOT_TEXT = frozenset({"role", "type"})


def protocol_of(path: str) -> str | None:
    """Which protocol a URL path asks for, if any."""
    return next((protocol for ending, protocol in _ENDINGS.items() if path.endswith(ending)), None)


@dataclass(slots=True, eq=False)
class Exchange:
    """A request as it came, decoded, and its answer as far as it has gone to the socket."""

    #: Counts from 1, in the order of arrival; ids in the answer end in it.
    number: int
    vendor: str
    #: ``openai_chat``, ``anthropic_messages``, ``count_tokens``, ``models``, or None for a path of none of them.
    protocol: str | None
    method: str
    path: str
    headers: Headers
    #: The decoded JSON; None if there was none, or none that is valid.
    body: Any

    #: None for models, token counts and requests that were refused; of a recording, what was done to its bytes.
    reply: Reply | None = None
    #: None until there is an answer.
    status: int | None = None
    #: The body's bytes so far as they went out, compressed if the answer is; without HTTP's own framing.
    sent: bytes = b""
    #: The whole of the body had gone out.
    complete: bool = False
    #: The token counts that were sent; None if the answer has none or was cut.
    usage: Usage | None = None

    @property
    def model(self) -> str | None:
        """The model that the request asks for."""
        model = self._field("model")
        return model if isinstance(model, str) else None

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        return self._field("stream") is True

    @property
    def text(self) -> str:
        """All text of the request: system, messages and tools, one string a line."""
        return "\n".join(strings([self._field(key) for key in ("system", "messages", "tools")]))

    @property
    def last_text(self) -> str:
        """The text of the last message."""
        messages = self._field("messages")
        last = messages[-1] if isinstance(messages, list) and messages else None
        content = last.get("content") if isinstance(last, dict) else None
        parts = content if isinstance(content, list) else [content]
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        return "".join(text for text in texts if isinstance(text, str))

    def _field(self, name: str) -> Any:
        return self.body.get(name) if isinstance(self.body, dict) else None


def strings(value: Any) -> Iterator[str]:
    """All strings inside a JSON value, without the keys, and without roles and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NOT_TEXT:
                yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
