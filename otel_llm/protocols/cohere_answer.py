"""What Cohere says of an answer in each of its APIs: why it ended, and how many tokens it took."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.facts import Usage
from otel_llm.protocols.values import count, mapping, text

#: To the conventions' words; others are reported as sent.
_FINISH_REASONS: Final = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "TOOL_CALL": "tool_call",
    "MAX_TOKENS": "length",
    "ERROR": "error",
    "ERROR_LIMIT": "length",  # of the model's context
    "ERROR_TOXIC": "content_filter",
}


def read_finish_reason(body: dict[str, Any]) -> str | None:
    sent = text(body.get("finish_reason"))
    return _FINISH_REASONS.get(sent, sent) if sent else None


def read_usage(reported: dict[str, Any]) -> Usage:
    """Usage as a v2 ``usage`` or a v1 ``meta``: the tokens that were processed; if they are not told, those that were billed.

    Only the former include Cohere's own part of the prompt, which may have been in the cache.
    """
    tokens, billed = mapping(reported.get("tokens")), mapping(reported.get("billed_units"))
    told = tokens or billed
    return Usage(
        input_tokens=count(told.get("input_tokens")),
        output_tokens=count(told.get("output_tokens")),
        cache_read=count(reported.get("cached_tokens")),
    )
