"""What a request for an interaction asks for."""

from __future__ import annotations

from typing import Any

from otel_llm import semconv
from otel_llm.protocols.facts import Message, RequestFacts, Scalar, ToolDefinition
from otel_llm.protocols.gemini_config import output_type, read_config
from otel_llm.protocols.gemini_interactions_steps import read_step, role_of
from otel_llm.protocols.gemini_names import objects
from otel_llm.protocols.gemini_parts import read_parts
from otel_llm.protocols.values import mapping, mappings, text


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request, one message per element of the input. The path says nothing: this API has the model in the body."""
    body = mapping(body)
    given = body.get("input")
    return RequestFacts(
        operation=semconv.GENERATE_CONTENT,
        model=text(body.get("model")) or text(body.get("agent")),
        stream=body.get("stream") is True,
        attributes=_attributes(body),
        system=read_parts(body.get("system_instruction")),
        messages=[_read_input(each) for each in (given if isinstance(given, list) else [given]) if each],
        tools=[_read_tool(tool) for tool in mappings(body.get("tools"))],
    )


def _attributes(body: dict[str, Any]) -> dict[str, Scalar]:
    attributes = read_config(body.get("generation_config"))
    if previous := text(body.get("previous_interaction_id")):
        attributes[semconv.REQUEST_PREVIOUS_RESPONSE_ID] = previous
    if kind := _output_type(body):
        attributes[semconv.OUTPUT_TYPE] = kind
    return attributes


def _output_type(body: dict[str, Any]) -> str | None:
    """From a list of formats, from one format, or as it was until 2026, from a bare schema beside a media type."""
    formats = objects(body.get("response_format"))
    asked = {
        "responseModalities": [each.get("type") for each in formats] or body.get("response_modalities"),
        "responseMimeType": next((found for each in (*formats, body) if (found := _mime_type(each))), None),
        "responseSchema": any(each.get("type") != "text" or each.get("schema") for each in formats),
    }
    return output_type(asked)


def _mime_type(given: dict[str, Any]) -> str | None:
    return text(given.get("mime_type")) or text(given.get("response_mime_type"))


def _read_input(given: Any) -> Message:
    """A turn with a role, a step, or a bare content, which is the user's."""
    if not isinstance(given, dict):
        return {"role": "user", "parts": read_parts(given if isinstance(given, str) else None)}
    return {"role": role_of(given), "parts": read_step(given)}


def _read_tool(tool: dict[str, Any]) -> ToolDefinition:
    """A function with its schema, or one of Google's own by its type."""
    kind = text(tool.get("type")) or "function"
    definition: ToolDefinition = {"type": kind, "name": text(tool.get("name")) or kind}
    for key in ("description", "parameters"):
        if tool.get(key):
            definition[key] = tool[key]
    return definition
