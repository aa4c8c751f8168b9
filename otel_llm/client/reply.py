"""What a model answered, whoever served it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm.models.choice import ModelChoice
from otel_llm.protocols import ResponseFacts, Usage
from otel_llm.protocols.values import mappings


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called."""

    id: str
    name: str
    #: Decoded; the text itself where the model wrote no JSON.
    arguments: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    #: What ``json=`` asked for; None if it asked for nothing, or a tool is to be called first.
    parsed: Any = None
    #: Input includes caches, output includes reasoning; of this answer alone, not of one that had to be repaired.
    usage: Usage = field(default_factory=Usage)
    #: The model that the provider says has answered.
    model: str | None = None
    #: ``stop``, ``length``, ``tool_call``, ``content_filter``, ...
    finish_reason: str | None = None
    #: The model that was asked, and why that one.
    choice: ModelChoice | None = None
    #: The response's body; of a stream, the body that it folds into.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def message(self) -> dict[str, Any]:
        """The answer as a message for :meth:`otel_llm.LLM.chat`, to go on with."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _as_text(call.arguments)}}
                for call in self.tool_calls
            ]
        return message


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in their order."""

    vectors: list[list[float]]
    usage: Usage
    model: str | None
    choice: ModelChoice
    raw: Mapping[str, Any] = field(repr=False)


def reply_of(facts: ResponseFacts, raw: Mapping[str, Any], choice: ModelChoice) -> Reply:
    """The answer that a protocol read out of a body."""
    parts = facts.messages[0].get("parts", []) if facts.messages else []
    return Reply(
        text="".join(str(part.get("content", "")) for part in parts if part.get("type") == "text"),
        tool_calls=tuple(_tool_call(part) for part in parts if part.get("type") == "tool_call"),
        usage=facts.usage,
        model=facts.model,
        finish_reason=facts.finish_reasons[0] if facts.finish_reasons else None,
        choice=choice,
        raw=raw,
    )


def embeddings_of(facts: ResponseFacts, raw: Mapping[str, Any], choice: ModelChoice) -> Embeddings:
    """The vectors of a body in OpenAI's form."""
    rows = sorted(mappings(raw.get("data")), key=lambda row: row.get("index") or 0)
    return Embeddings([row.get("embedding") or [] for row in rows], facts.usage, facts.model, choice, raw)


def _tool_call(part: Mapping[str, Any]) -> ToolCall:
    return ToolCall(str(part.get("id") or ""), str(part.get("name") or ""), part.get("arguments"))


def _as_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
