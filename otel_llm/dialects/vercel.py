"""Vercel's AI SDK: ``ai.*``. Its calls are the spans ``ai.generateText.doGenerate`` and the like; what is around them sums them up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.dialects.numbers import real, whole
from otel_llm.dialects.reading import Reading, known
from otel_llm.protocols.values import text

_OPERATION: Final = "ai.operationId"


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """Operation, model, tokens and timing, and what tools were given; Langfuse reads the rest under its own names."""
    operation = given.get(_OPERATION)
    if not isinstance(operation, str):
        return None
    waited_ms = real(given.get("ai.response.msToFirstChunk"))
    told = {
        sc.OPERATION_NAME: _operation(operation),
        sc.REQUEST_MODEL: text(given.get("ai.model.id")),
        sc.RESPONSE_MODEL: text(given.get("ai.response.model")),
        sc.USAGE_INPUT_TOKENS: _first(given, "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens"),
        sc.USAGE_OUTPUT_TOKENS: _first(given, "ai.usage.outputTokens", "ai.usage.completionTokens"),
        sc.USAGE_CACHE_READ: _first(given, "ai.usage.cachedInputTokens"),
        sc.USAGE_REASONING: _first(given, "ai.usage.reasoningTokens"),
        sc.RESPONSE_TIME_TO_FIRST_CHUNK: None if waited_ms is None else waited_ms / 1000,
        sc.TOOL_NAME: text(given.get("ai.toolCall.name")),
        sc.TOOL_CALL_ID: text(given.get("ai.toolCall.id")),
        sc.TOOL_CALL_ARGUMENTS: given.get("ai.toolCall.args"),
        sc.TOOL_CALL_RESULT: given.get("ai.toolCall.result"),
    }
    return Reading(known(told), {"ai.toolCall.args", "ai.toolCall.result"})


def _operation(operation: str) -> str:
    if operation == "ai.toolCall":
        return sc.EXECUTE_TOOL
    if operation.endswith(".doEmbed"):
        return sc.EMBEDDINGS
    return sc.CHAT if operation.endswith((".doGenerate", ".doStream")) else sc.INVOKE_WORKFLOW


def _first(given: Mapping[str, Any], *names: str) -> int | None:
    return next((found for name in names if (found := whole(given.get(name))) is not None), None)
