"""What a request to generate content asks for. The model and whether the answer streams are in the path, not in the body."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm import semconv
from otel_llm.protocols.facts import RequestFacts, ToolDefinition
from otel_llm.protocols.gemini_config import read_config
from otel_llm.protocols.gemini_names import camel, camels, objects
from otel_llm.protocols.gemini_parts import read_message, read_parts
from otel_llm.protocols.gemini_path import is_stream, model_of
from otel_llm.protocols.values import text


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request, one message per content."""
    body = camel(body)
    contents = body.get("contents")
    given = contents if isinstance(contents, list) else [contents]
    return RequestFacts(
        operation=semconv.GENERATE_CONTENT,
        model=model_of(path),
        stream=is_stream(path),
        attributes=read_config(body.get("generationConfig")),
        system=read_parts(body.get("systemInstruction")),
        messages=[read_message(content, "user") for content in given if content and isinstance(content, str | dict)],
        tools=[definition for tool in objects(body.get("tools")) for definition in _read_tool(tool)],
    )


def _read_tool(tool: dict[str, Any]) -> Iterator[ToolDefinition]:
    """A tool holds declarations of functions, or one of Google's own by its name, or both."""
    for key, settings in tool.items():
        if key in ("functionDeclarations", "function_declarations"):
            yield from (_function(declaration) for declaration in camels(settings))
        else:
            yield {"type": key, "name": key}


def _function(declaration: dict[str, Any]) -> ToolDefinition:
    definition: ToolDefinition = {"type": "function", "name": text(declaration.get("name")) or "function"}
    if declaration.get("description"):
        definition["description"] = declaration["description"]
    if parameters := declaration.get("parameters") or declaration.get("parametersJsonSchema"):
        definition["parameters"] = parameters
    return definition
