"""Google's generateContent, of the Gemini API and of Vertex AI.

``POST .../models/{model}:generateContent`` and ``:streamGenerateContent``; a stream is server-sent events, or without ``alt=sse`` one
JSON array, and has no event that ends it.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import Message, ResponseFacts, Scalar
from otel_llm.protocols.failure import failure
from otel_llm.protocols.gemini_fold import Fold, places
from otel_llm.protocols.gemini_names import camel
from otel_llm.protocols.gemini_parts import joined, read_message
from otel_llm.protocols.gemini_request import request
from otel_llm.protocols.gemini_usage import read_usage
from otel_llm.protocols.values import integer, mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "gemini"
OPERATION: Final = semconv.GENERATE_CONTENT

#: Vertex AI sends numbers if asked for ``enum-encoding=int`` (google.cloud.aiplatform.v1.Candidate.FinishReason).
_NUMBERED: Final = (
    None,
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
    "UNEXPECTED_TOOL_CALL",
    "NO_IMAGE",
)
_FILTERED: Final = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
)
#: To the conventions' words; others are reported as sent. ``STOP`` is also what a call of a function ends with.
_FINISH_REASONS: Final = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(_FILTERED, "content_filter")


def matches(body: Any) -> bool:
    """Contents with parts; the model is in the path."""
    contents = camel(body).get("contents")
    return isinstance(contents, list) and bool(contents) and all("parts" in mapping(content) for content in contents)


def response(body: Any) -> ResponseFacts:
    """Facts of an answer, of as much of it as arrived, or of an error body."""
    body = mapping(body)
    messages = [_output_message(candidate) for candidate in _in_order(mappings(body.get("candidates")))]
    if not messages and mapping(body.get("promptFeedback")).get("blockReason"):
        messages = [{"role": "assistant", "parts": [], "finish_reason": "content_filter"}]
    usage = mapping(body.get("usageMetadata"))
    return ResponseFacts(
        id=text(body.get("responseId")),
        model=text(body.get("modelVersion")),
        finish_reasons=tuple(message["finish_reason"] for message in messages if "finish_reason" in message),
        usage=read_usage(usage),
        messages=messages,
        error=failure(body),
        attributes=_attributes(text(usage.get("serviceTier")) or text(body.get("serviceTier"))),
    )


def _in_order(candidates: list[dict[str, Any]]) -> list[dict[str, Any]]:
    placed = sorted(zip(places(candidates), candidates, strict=True), key=lambda each: each[0])
    return [candidate for _, candidate in placed]


def _output_message(candidate: dict[str, Any]) -> Message:
    """The answer of a candidate; a filtered one has no content."""
    message = read_message(mapping(candidate.get("content")), "assistant")
    message["parts"] = joined(message["parts"])
    if reason := _finish_reason(candidate.get("finishReason")):
        message["finish_reason"] = reason
    return message


def _finish_reason(sent: Any) -> str | None:
    number = integer(sent)
    if number is not None:
        sent = _NUMBERED[number] if 0 <= number < len(_NUMBERED) else str(number)
    name = text(sent)
    return _FINISH_REASONS.get(name, name) if name else None


def _attributes(tier: str | None) -> dict[str, Scalar]:
    return {semconv.RESPONSE_SERVICE_TIER: tier} if tier else {}
