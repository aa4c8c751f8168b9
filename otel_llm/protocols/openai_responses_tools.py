"""Tools offered to OpenAI's responses, as definitions of the conventions.

Definitions hold names, descriptions and parameters only: those of MCP servers have credentials beside them.
"""

from __future__ import annotations

from typing import Any

import otel_llm.protocols.openai_chat as openai_chat
from otel_llm.protocols.facts import ToolDefinition
from otel_llm.protocols.values import mappings, text


def read_tools(tools: Any) -> list[ToolDefinition]:
    """Functions, custom tools, namespaces of such, and built-in tools, which have nothing but their type."""
    given = mappings(tools)
    return [_completed(tool, definition) for tool, definition in zip(given, _definitions(given), strict=True)]


def _definitions(tools: Any) -> list[ToolDefinition]:
    return openai_chat.request({"tools": tools}, "").tools


def _completed(tool: dict[str, Any], definition: ToolDefinition) -> ToolDefinition:
    """With the label of an MCP server, and with the tools of a namespace."""
    if label := text(tool.get("server_label")):
        definition["server_label"] = label
    if inner := mappings(tool.get("tools")):
        definition["tools"] = _definitions(inner)
    return definition
