"""Content that is told under the conventions' names, but not as the conventions have it on spans: as JSON text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.dialects.chat import messages_of, tool_definition
from otel_llm.dialects.reading import decoded
from otel_llm.protocols.facts import Message
from otel_llm.protocols.values import mappings

_JSON: Final = (
    sc.SYSTEM_INSTRUCTIONS,
    sc.INPUT_MESSAGES,
    sc.OUTPUT_MESSAGES,
    sc.TOOL_DEFINITIONS,
    sc.TOOL_CALL_ARGUMENTS,
    sc.TOOL_CALL_RESULT,
    sc.RETRIEVAL_DOCUMENTS,
    sc.MEMORY_RECORDS,
    sc.INPUT_VALUE,
    sc.OUTPUT_VALUE,
)


def repair(told: dict[str, Any]) -> None:
    """JSON text for structured values, definitions of tools in the conventions' form, answers without empty text beside calls."""
    for name in _JSON:
        if name in told and not isinstance(told[name], str):
            told[name] = _text(told[name])
    for name, role in ((sc.INPUT_MESSAGES, "user"), (sc.OUTPUT_MESSAGES, "assistant")):
        if name in told and '"parts"' not in told[name]:
            told[name] = _messages(told[name], role)
    if sc.OUTPUT_MESSAGES in told and (
        '"content":""' in told[sc.OUTPUT_MESSAGES] or '"content": ""' in told[sc.OUTPUT_MESSAGES]
    ):
        told[sc.OUTPUT_MESSAGES] = _without_empty_texts(told[sc.OUTPUT_MESSAGES])
    if told.get(sc.OPERATION_NAME) == sc.EMBEDDINGS and sc.INPUT_MESSAGES in told:
        told[sc.INPUT_MESSAGES] = _in_one(told[sc.INPUT_MESSAGES])
    if sc.TOOL_DEFINITIONS in told:
        told[sc.TOOL_DEFINITIONS] = _definitions(told[sc.TOOL_DEFINITIONS])


def _text(value: Any) -> str:
    """JSON text of a structured value; of an array of JSON texts, of what they say."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value):
        read = [decoded(each) for each in value]
        value = value if None in read else read
    return json_text(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _messages(value: str, role: str) -> str:
    """Messages in OpenAI's form in that of the conventions; what cannot be read (cut in the middle, say) as it is."""
    read = decoded(value)
    if not isinstance(read, list | dict) or not read or (isinstance(read, list) and len(mappings(read)) != len(read)):
        return value
    return json_text(messages_of(read, role))


def _without_empty_texts(value: str) -> str:
    read = decoded(value)
    if not isinstance(read, list):
        return value
    return json_text([_without_empty_text(each) if isinstance(each, dict) else each for each in read])


def _without_empty_text(message: Message) -> Message:
    """A message without the empty text that streams of tool calls begin with, if there is anything else in it."""
    parts = mappings(message.get("parts"))
    said = [part for part in parts if part.get("type") != "text" or part.get("content") != ""]
    return {**message, "parts": said} if said and len(said) < len(parts) else message


def _in_one(value: str) -> str:
    """The texts of an embedding as the parts of one message, where each was a message of its own."""
    read = decoded(value)
    if not isinstance(read, list) or len(read) < 2 or not all(isinstance(each, dict) and "parts" in each for each in read):
        return value
    return json_text([{"role": "user", "parts": [part for each in read for part in mappings(each["parts"])]}])


def _definitions(value: str) -> str:
    read = decoded(value)
    if not isinstance(read, list) or len(mappings(read)) != len(read):
        return value
    return json_text([_definition(tool) for tool in read])


def _definition(tool: dict[str, Any]) -> dict[str, Any]:
    """As the conventions have it, where it is a function of another form. A provider's own tool may have no name."""
    named = "name" in tool or "function" in tool
    return tool_definition(tool) if named and ("type" not in tool or {"function", "input_schema"} & tool.keys()) else tool
