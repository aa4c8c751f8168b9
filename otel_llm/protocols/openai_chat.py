"""OpenAI's chat completions, the format that most vendors speak, with what each of them does differently.

``POST .../chat/completions``. Streams are server-sent chunks up to ``[DONE]``.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import ErrorFacts, Message, ResponseFacts, Scalar
from otel_llm.protocols.failure import failure
from otel_llm.protocols.openai_chat_fold import Fold
from otel_llm.protocols.openai_chat_messages import read_message
from otel_llm.protocols.openai_chat_request import request
from otel_llm.protocols.openai_chat_usage import read_usage
from otel_llm.protocols.values import elements, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "openai_chat"
OPERATION: Final = semconv.CHAT

#: To the conventions' words; others are reported as sent.
_FINISH_REASONS: Final = {"tool_calls": "tool_call", "function_call": "tool_call", "eos": "stop"}


def matches(body: Any) -> bool:
    """Messages with roles. The model is not asked for: local servers do without, and Azure has it in the path."""
    messages = elements(mapping(body).get("messages"))
    return bool(messages) and all(text(mapping(message).get("role")) for message in messages)


def response(body: Any) -> ResponseFacts:
    """Facts of a completion, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    choices = mappings(body.get("choices"))
    reasons = (_finish_reason(choice) for choice in choices)
    return ResponseFacts(
        id=text(body.get("id")),
        model=text(body.get("model")),
        finish_reasons=tuple(reason for reason in reasons if reason),
        usage=read_usage(body),
        messages=[_output_message(choice) for choice in choices],
        error=failure(body) or _choice_failure(choices),
        attributes=_attributes(body),
    )


def _finish_reason(choice: dict[str, Any]) -> str | None:
    reason = text(choice.get("finish_reason"))
    return _FINISH_REASONS.get(reason, reason) if reason else None


def _output_message(choice: dict[str, Any]) -> Message:
    """The answer of a choice; a filtered one has no message at all."""
    message = read_message(mapping(choice.get("message")), "assistant")
    if reason := _finish_reason(choice):
        message["finish_reason"] = reason
    return message


def _choice_failure(choices: list[dict[str, Any]]) -> ErrorFacts | None:
    return next((error for choice in choices if (error := failure({"error": choice.get("error")}))), None)


def _attributes(body: dict[str, Any]) -> dict[str, Scalar]:
    named = {
        semconv.OPENAI_RESPONSE_SERVICE_TIER: text(body.get("service_tier")),
        semconv.OPENAI_SYSTEM_FINGERPRINT: text(body.get("system_fingerprint")),
        semconv.UPSTREAM_PROVIDER: text(body.get("provider")),
    }
    return {name: value for name, value in named.items() if value}
