"""JSON texts of content: read leniently, and kept within a length."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import from_json

from otel_llm.content import json_text
from otel_llm.content_forms import hashed

#: What a text that is no JSON says.
NOTHING: Final = object()


def parsed(text: str) -> Any:
    """What a JSON text says, :data:`NOTHING` if it is none. Half surrogate pairs pass."""
    try:
        return from_json(text)
    except (ValueError, TypeError):  # TypeError is what half a surrogate pair gives
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NOTHING


def bounded(text: str, max_chars: int) -> str:
    """JSON text of at most ``max_chars`` characters: of a list its first and last elements, of anything else length and hash."""
    if len(text) <= max_chars:
        return text
    read = parsed(text)
    shorter = _without_middle(read, max_chars) if isinstance(read, list) else None
    return json_text(hashed(text)) if shorter is None else shorter


def _without_middle(elements: list[Any], max_chars: int) -> str | None:
    """A third of the room is for the first elements; None if the first and the last do not fit."""
    texts = [json_text(element) for element in elements]
    room = max_chars - len(json_text([_note(elements, 0, len(elements))]))
    head = _fitting(texts[:-1], room // 3) or 1
    room -= sum(map(len, texts[:head])) + head
    tail = _fitting(texts[:head:-1], room)
    if not tail:
        return None
    note = json_text(_note(elements, head, len(elements) - tail))
    return f"[{','.join((*texts[:head], note, *texts[len(texts) - tail :]))}]"


def _fitting(texts: list[str], room: int) -> int:
    """How many of the texts fit, with a comma each."""
    for count, text in enumerate(texts):
        room -= len(text) + 1
        if room < 0:
            return count
    return len(texts)


def _note(elements: list[Any], start: int, end: int) -> dict[str, Any]:
    """An element in place of those left out: a message among messages, else a part."""
    said = hashed(json_text(elements[start:end]))[1:-1]
    part = {"type": "text", "content": f"[... {end - start} of {len(elements)} left out: {said} ...]"}
    is_message = isinstance(elements[0], dict) and "role" in elements[0]
    return {"role": "system", "parts": [part]} if is_message else part
