"""Questions in the words of OpenAI's chat completions, which most services speak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm.client.request import Question, Tool, function_of
from otel_llm.client.services import Service
from otel_llm.client.wire import Wire, known
from otel_llm.protocols import PROTOCOLS
from otel_llm.protocols.values import mapping, mappings

_TOOL_CHOICES: Final = frozenset({"auto", "none", "required"})


def headers(key: str) -> Mapping[str, str]:
    """As a bearer; nothing where no key is needed."""
    return {"authorization": f"Bearer {key}"} if key else {}


def body(question: Question, model: str, service: Service) -> dict[str, Any]:
    """The request's body."""
    return {
        "model": model,
        "messages": [dict(message) for message in question.messages],
        **known(
            {
                "tools": [_tool(tool) for tool in question.tools] or None,
                "tool_choice": _tool_choice(question.tool_choice),
                "temperature": question.temperature,
                service.limit_field: question.max_tokens,
                "response_format": _format(question.schema, service),
                "stream": question.stream or None,
                "stream_options": {"include_usage": True} if question.stream and service.asks_for_usage else None,
            }
        ),
        **question.extra,
    }


def added_text(event: Any) -> str:
    """Text of a chunk's first choice; Mistral may send it as parts."""
    choices = mappings(mapping(event).get("choices"))
    content = mapping(choices[0].get("delta")).get("content") if choices else None
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in mappings(content) if part.get("type") == "text")
    return content if isinstance(content, str) else ""


def _tool(tool: Tool) -> Mapping[str, Any]:
    function = function_of(tool)
    if function is None:
        return tool
    return {"type": "function", "function": {name: value for name, value in function.items() if name != "type"}}


def _tool_choice(choice: str | None) -> Any:
    if choice is None or choice in _TOOL_CHOICES:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _format(schema: Mapping[str, Any] | None, service: Service) -> Mapping[str, Any] | None:
    """Not strict: the strict subset of JSON Schema leaves out what pydantic writes for defaults, formats and unions."""
    if schema is None or service.output_format is None:
        return None
    if service.output_format == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


CHAT_COMPLETIONS: Final = Wire(PROTOCOLS["openai_chat"], "/chat/completions", headers, body, added_text)
