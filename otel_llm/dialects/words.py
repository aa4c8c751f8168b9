"""The conventions' words for what vendors and emitters call otherwise: providers, operations, finish reasons."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv as sc

_FINISH_REASONS: Final = {
    "tool_calls": "tool_call",
    "tool-calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "content-filter": "content_filter",
    "safety": "content_filter",
}
_PROVIDERS: Final = {
    "az.ai.openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure": "azure.ai.openai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
    "moonshot": "moonshot_ai",
    "together_ai": "together",
    "hugging_face": "huggingface",
}
_OPERATIONS: Final = {"completion": sc.TEXT_COMPLETION, "generate": sc.GENERATE_CONTENT, "embedding": sc.EMBEDDINGS}


def finish_reason(value: Any) -> str | None:
    """In the conventions' word; unknown ones as they are."""
    if not isinstance(value, str) or not value:
        return None
    word = value.rpartition(".")[2]  # of an enumeration: FinishReason.STOP
    return _FINISH_REASONS.get(word.lower(), word.lower() if word.isupper() else word)


def provider(value: Any) -> str | None:
    """In the conventions' word, in lower case."""
    if not isinstance(value, str) or not value.strip():
        return None
    word = value.strip().lower()
    return _PROVIDERS.get(word, word)


def repair(told: dict[str, Any]) -> None:
    """Words of the conventions in place of others under the conventions' names."""
    if sc.RESPONSE_FINISH_REASONS in told:
        reasons = told[sc.RESPONSE_FINISH_REASONS]
        given = reasons if isinstance(reasons, list | tuple) else (reasons,)
        told[sc.RESPONSE_FINISH_REASONS] = tuple(word for each in given if (word := finish_reason(each)))
    if (named := provider(told.get(sc.PROVIDER_NAME))) is not None:
        told[sc.PROVIDER_NAME] = named
    operation = told.get(sc.OPERATION_NAME)
    if isinstance(operation, str):
        told[sc.OPERATION_NAME] = _OPERATIONS.get(operation.lower(), operation)
