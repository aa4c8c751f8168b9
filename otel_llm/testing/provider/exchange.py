"""One request that the fake provider saw, and what it sent back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.apis import APIS, Api
from otel_llm.testing.provider.reply import Reply
from otel_llm.testing.server import Headers

#: Fields of all APIs that hold text for a model, in the order in which it is counted.
_TEXTS = (
    *("system", "systemInstruction", "instructions", "messages", "contents", "input", "inputs", "prompt", "texts"),
    *("requests", "content", "tools"),
)
#: Fields that hold what is said, the last of it last.
_TURNS = ("messages", "contents", "input", "prompt")
#: Strings of a message or tool that are no text of it.
_NOT_TEXT = frozenset({"role", "type"})
_MODEL_IN_PATH = re.compile(r"/models/([^/:]+):\w+$")


@dataclass(slots=True, eq=False)
class Exchange:
    """A request as it came, decoded, and its answer as far as it has gone to the socket."""

    #: Counts from 1, in the order of arrival; ids in the answer end in it.
    number: int
    vendor: str
    #: A name of ``APIS``, ``count_tokens``, ``models``, ``tags``, or None for a path of none of them.
    protocol: str | None
    method: str
    path: str
    headers: Headers
    #: The decoded JSON; None if there was none, or none that is valid.
    body: Any
    query: Mapping[str, str] = field(default_factory=dict)

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
    def api(self) -> Api | None:
        """The API that a model is called by; None for all other requests."""
        return APIS.get(self.protocol or "")

    @property
    def model(self) -> str | None:
        """The model that the request asks for, in its body or, as Google has it, in its path."""
        model = self.get("model")
        found = _MODEL_IN_PATH.search(self.path)
        return found[1] if found else model if isinstance(model, str) else None

    @property
    def stream(self) -> bool:
        """Whether the request asks for a stream."""
        match self.api.streaming if self.api else "asked":
            case "asked":
                return self.get("stream") is True
            case "unless_refused":
                return self.get("stream") is not False
            case "by_path":
                return self.path.endswith(":streamGenerateContent")
            case "never":
                return False

    @property
    def text(self) -> str:
        """All text of the request: system, messages and tools, one string a line."""
        return "\n".join(strings([self.get(key) for key in _TEXTS]))

    @property
    def last_text(self) -> str:
        """The text of the last message."""
        turns = next((turns for key in _TURNS if (turns := self.get(key))), None)
        last = turns[-1] if isinstance(turns, list) else turns
        content = last.get("content", last.get("parts")) if isinstance(last, dict) else last
        parts = content if isinstance(content, list) else [content]
        texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
        return "".join(text for text in texts if isinstance(text, str))

    def get(self, name: str) -> Any:
        """A field of the body; None if there is none."""
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
