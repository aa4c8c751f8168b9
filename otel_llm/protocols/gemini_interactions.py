"""Google's Interactions API. ``POST .../interactions``; streams are events from ``interaction.created`` to ``interaction.completed``.

What a model answers is a list of steps; until 2026 it was a flat list of ``outputs``, with the same names inside. An interaction in
the background answers ``in_progress`` without usage; ``GET .../interactions/{id}`` fetches what became of it and is no generation.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import ErrorFacts, Message, ResponseFacts, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.gemini_interactions_fold import Fold
from otel_llm.protocols.gemini_interactions_request import request
from otel_llm.protocols.gemini_interactions_steps import read_step
from otel_llm.protocols.gemini_parts import joined
from otel_llm.protocols.gemini_usage import total
from otel_llm.protocols.values import count, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "gemini_interactions"
OPERATION: Final = semconv.GENERATE_CONTENT

#: The second is the name of 2025.
_THOUGHTS: Final = ("total_thought_tokens", "total_reasoning_tokens")
_UNFINISHED: Final = ("in_progress", "queued")
#: To the conventions' words; others are reported as sent.
_FINISH_REASONS: Final = {"completed": "stop", "requires_action": "tool_call", "incomplete": "length", "failed": "error"}


def matches(body: Any) -> bool:
    """An input for a model or an agent."""
    body = mapping(body)
    return bool(body.get("input")) and any(text(body.get(key)) for key in ("model", "agent"))


def response(body: Any) -> ResponseFacts:
    """Facts of an interaction, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    status = text(body.get("status"))
    reason = None if status is None or status in _UNFINISHED else _FINISH_REASONS.get(status, status)
    steps = [step for step in mappings(body.get("steps")) or mappings(body.get("outputs")) if step.get("type") != "user_input"]
    tier = text(body.get("service_tier"))
    return ResponseFacts(
        id=text(body.get("id")),
        model=text(body.get("model")) or text(body.get("agent")),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(mapping(body.get("usage"))),
        messages=_output_messages(steps, reason),
        error=_read_error(body, steps, status),
        attributes={semconv.RESPONSE_SERVICE_TIER: tier} if tier else {},
    )


def _output_messages(steps: list[dict[str, Any]], reason: str | None) -> list[Message]:
    """All steps as one message; none for an interaction that goes on in the background."""
    parts = joined(part for step in steps for part in read_step(step))
    if not parts and not reason:
        return []
    message: Message = {"role": "assistant", "parts": parts}
    return [{**message, "finish_reason": reason}] if reason else [message]


def _read_usage(usage: dict[str, Any]) -> Usage:
    """Prompts of Google's own tools are counted beside the input and thoughts beside the output; the conventions count them in."""
    thoughts = next((found for key in _THOUGHTS if (found := count(usage.get(key))) is not None), None)
    return Usage(
        input_tokens=total(count(usage.get("total_input_tokens")), count(usage.get("total_tool_use_tokens"))),
        output_tokens=total(count(usage.get("total_output_tokens")), thoughts),
        cache_read=count(usage.get("total_cached_tokens")),
        reasoning=thoughts,
    )


def _read_error(body: dict[str, Any], steps: list[dict[str, Any]], status: str | None) -> ErrorFacts | None:
    """The error of the exchange, of the interaction, or of a step; a failed interaction need not say why."""
    for error in (body.get("error"), *mappings(body.get("errors")), *(step.get("error") for step in steps)):
        if found := failure({"error": error}):
            return found
    return ErrorFacts("failed") if status == "failed" else None
