"""``input_data`` and ``output_data`` of a span row: model, provider, tokens, cost, and message content only where asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm_insforge.text import bounded_field, clean_json, clean_text

_NAME_LIMIT: Final = 1_000

_REQUEST: Final = {
    "provider": sc.PROVIDER_NAME,
    "model": sc.REQUEST_MODEL,
    "tool_call_id": sc.TOOL_CALL_ID,
}
_REQUEST_CONTENT: Final = {
    "system_instructions": sc.SYSTEM_INSTRUCTIONS,
    "messages": sc.INPUT_MESSAGES,
    "tools": sc.TOOL_DEFINITIONS,
    "arguments": sc.TOOL_CALL_ARGUMENTS,
    "query": sc.RETRIEVAL_QUERY,
    "input": sc.INPUT_VALUE,
}
_RESPONSE: Final = {
    "model": sc.RESPONSE_MODEL,
    "finish_reasons": sc.RESPONSE_FINISH_REASONS,
}
_RESPONSE_CONTENT: Final = {
    "messages": sc.OUTPUT_MESSAGES,
    "result": sc.TOOL_CALL_RESULT,
    "documents": sc.RETRIEVAL_DOCUMENTS,
    "output": sc.OUTPUT_VALUE,
}
_USAGE: Final = {
    "input_tokens": sc.USAGE_INPUT_TOKENS,
    "output_tokens": sc.USAGE_OUTPUT_TOKENS,
    "cache_read_input_tokens": sc.USAGE_CACHE_READ,
    "cache_write_input_tokens": sc.USAGE_CACHE_WRITE,
    "reasoning_output_tokens": sc.USAGE_REASONING,
    "cost": sc.USAGE_COST,
}


def input_data(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was asked: provider, model, tool call; messages, tools and arguments as far as they are there. None if nothing is known."""
    return _picked(attributes, _REQUEST) | _content(attributes, _REQUEST_CONTENT) or None


def output_data(attributes: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was answered: model, finish reasons, ``usage`` with tokens and ``cost`` in USD; messages or result if there."""
    data = _picked(attributes, _RESPONSE)
    usage = {key: attributes[name] for key, name in _USAGE.items() if _is_number(attributes.get(name))}
    if usage := {key: value for key, value in clean_json(usage).items() if value is not None}:
        data["usage"] = usage
    return data | _content(attributes, _RESPONSE_CONTENT) or None


def _picked(attributes: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    values = {key: _name(attributes.get(name)) for key, name in names.items()}
    return {key: value for key, value in values.items() if value}


def _name(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value, _NAME_LIMIT)
    if isinstance(value, tuple | list):
        return [clean_text(item, _NAME_LIMIT) for item in value[:100] if isinstance(item, str)]
    return None


def _content(attributes: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Content attributes hold JSON text; the table gets objects, since text would be stored as one JSON string."""
    values = {key: attributes[name] for key, name in names.items() if attributes.get(name) not in (None, "")}
    return {key: bounded_field(_parsed(value)) for key, value in values.items()}


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
