"""What a request for a chat completion asks for."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote

from otel_llm import semconv
from otel_llm.protocols.facts import RequestFacts, ToolDefinition
from otel_llm.protocols.openai_chat_messages import read_message
from otel_llm.protocols.values import AttributeTable, count, integer, mapping, mappings, number, read_attributes, text, texts

_DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)/")
_OUTPUT_TYPES: Final = {"text": "text", "json_object": "json", "json_schema": "json"}


def _choice_count(value: Any) -> int | None:
    """How many choices, if not one."""
    choices = count(value)
    return None if choices == 1 else choices


def _effort(value: Any) -> str | None:
    return text(mapping(value).get("effort"))


def _output_type(value: Any) -> str | None:
    return _OUTPUT_TYPES.get(text(mapping(value).get("type")) or "")


def _service_tier(value: Any) -> str | None:
    """The tier asked for, if not the default."""
    tier = text(value)
    return None if tier == "auto" else tier


_ATTRIBUTES: Final[AttributeTable] = {
    "max_tokens": (semconv.REQUEST_MAX_TOKENS, count),
    "max_completion_tokens": (semconv.REQUEST_MAX_TOKENS, count),
    "temperature": (semconv.REQUEST_TEMPERATURE, number),
    "top_p": (semconv.REQUEST_TOP_P, number),
    "top_k": (semconv.REQUEST_TOP_K, integer),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
    "seed": (semconv.REQUEST_SEED, integer),
    "random_seed": (semconv.REQUEST_SEED, integer),  # Mistral
    "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
    "n": (semconv.REQUEST_CHOICE_COUNT, _choice_count),
    "reasoning_effort": (semconv.REQUEST_REASONING_LEVEL, text),
    "reasoning": (semconv.REQUEST_REASONING_LEVEL, _effort),  # OpenRouter
    "response_format": (semconv.OUTPUT_TYPE, _output_type),
    "service_tier": (semconv.OPENAI_REQUEST_SERVICE_TIER, _service_tier),
}


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request; the model of an Azure deployment may be in the path only."""
    body = mapping(body)
    return RequestFacts(
        operation=semconv.CHAT,
        model=text(body.get("model")) or _deployment(path),
        stream=body.get("stream") is True,
        attributes=read_attributes(body, _ATTRIBUTES),
        messages=[read_message(message, "user") for message in mappings(body.get("messages"))],
        tools=[
            *(_tool(tool) for tool in mappings(body.get("tools"))),
            *(_function("function", function) for function in mappings(body.get("functions"))),
        ],
    )


def _deployment(path: str) -> str | None:
    found = _DEPLOYMENT.search(path)
    return text(unquote(found[1])) if found else None


def _tool(tool: dict[str, Any]) -> ToolDefinition:
    """A function or custom tool, which has its definition under its type; a built-in one may have nothing but its type."""
    kind = text(tool.get("type")) or "function"
    return _function(kind, mapping(tool.get(kind)) or tool)


def _function(kind: str, function: dict[str, Any]) -> ToolDefinition:
    definition: ToolDefinition = {"type": kind, "name": text(function.get("name")) or kind}
    for key in ("description", "parameters"):
        if function.get(key):
            definition[key] = function[key]
    return definition
