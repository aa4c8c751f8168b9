"""Messages under the conventions' first names: flattened (``gen_ai.prompt.0.content``), or whole as JSON (``gen_ai.prompt``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.dialects.chat import message_of, messages_of
from otel_llm.dialects.reading import Reading, elements_of, listed, under
from otel_llm.protocols.facts import Message
from otel_llm.protocols.values import mappings

_SIDES: Final = (
    ("gen_ai.prompt", sc.INPUT_MESSAGES, "user"),
    ("gen_ai.completion", sc.OUTPUT_MESSAGES, "assistant"),
)


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """Both sides. Name, version and variables of a managed prompt, under the same prefix, are none of this."""
    if not under(given, "gen_ai.prompt", "gen_ai.completion"):
        return None
    reading = Reading()
    for prefix, name, role in _SIDES:
        found = _flattened(given, prefix, role)
        if not found and prefix in given:
            found = messages_of(given[prefix], role)
        if told := listed(found):
            reading.told[name] = told
        reading.spent |= {each for each in given if each == prefix or _is_flattened(each, prefix)}
    return reading


def _flattened(given: Mapping[str, Any], prefix: str, role: str) -> list[Message]:
    return [message_of(_with_name(each), role) for each in mappings(elements_of(given, prefix)) if each]


def _with_name(message: dict[str, Any]) -> dict[str, Any]:
    """A tool's answer names the call it answers."""
    return {**message, "tool_call_id": message.get("tool_call_id") or message.get("id")}


def _is_flattened(name: str, prefix: str) -> bool:
    return name.startswith(f"{prefix}.") and name[len(prefix) + 1 : len(prefix) + 2].isdecimal()
