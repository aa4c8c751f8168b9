"""Shortened messages of a call, where content was captured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic_core import from_json

from otel_llm import semconv as sc
from otel_llm.cli.human import line

#: Characters shown of a message.
_LONGEST = 200
#: Input messages shown; of a long conversation the last ones.
_MOST_INPUT = 4


class Excerpt(NamedTuple):
    """One message: its role, and the beginning of what it says."""

    role: str
    text: str


def excerpts(attributes: Mapping[str, Any]) -> list[Excerpt]:
    """What was said to the model and what it answered. Empty if it was not captured."""
    asked = [_message(message) for message in _decoded(attributes.get(sc.INPUT_MESSAGES))]
    earlier = len(asked) - _MOST_INPUT
    if earlier > 0:
        asked = [Excerpt("...", f"{earlier} earlier messages"), *asked[-_MOST_INPUT:]]
    system = _parts(_decoded(attributes.get(sc.SYSTEM_INSTRUCTIONS)))
    answered = [_message(message) for message in _decoded(attributes.get(sc.OUTPUT_MESSAGES))]
    return [*([Excerpt("system", system)] if system else []), *asked, *answered]


def _decoded(value: Any) -> list[Any]:
    """The list that a content attribute holds, as JSON text or as it is."""
    if isinstance(value, str):
        try:
            value = from_json(value)
        except ValueError:
            return [value]
    return list(value) if isinstance(value, list | tuple) else []


def _message(message: Any) -> Excerpt:
    if not isinstance(message, dict):
        return Excerpt("?", line(str(message), _LONGEST))
    parts = message.get("parts")
    return Excerpt(line(str(message.get("role", "?")), 20), _parts(parts if isinstance(parts, list) else [parts]))


def _parts(parts: list[Any]) -> str:
    return line(" ".join(_part(part) for part in parts), _LONGEST)


def _part(part: Any) -> str:
    """Text as it is, anything else in brackets."""
    if not isinstance(part, dict):
        return str(part)
    kind = part.get("type", "text")
    content = part.get("content")
    if kind == "text" and isinstance(content, str):
        return content
    return f"[{' '.join((str(kind), *_details(part)))}]"


def _details(part: Mapping[str, Any]) -> Iterator[str]:
    for key in ("name", "arguments", "response", "content"):
        value = part.get(key)
        if value is not None:
            yield value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
