"""Takes the media out of a span's attributes, before they are mapped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.recent import LONG, Recent
from otel_llm_langfuse import names
from otel_llm_langfuse.media import MediaMode, Medium, decoded
from otel_llm_langfuse.media_text import may_hold_media, replaced
from otel_llm_langfuse.media_types import content_type
from otel_llm_langfuse.readers import Given, as_text

#: Attributes that hold content.
_CONTENT: Final = (
    sc.SYSTEM_INSTRUCTIONS,
    sc.INPUT_MESSAGES,
    sc.OUTPUT_MESSAGES,
    sc.TOOL_CALL_ARGUMENTS,
    sc.TOOL_CALL_RESULT,
    "gen_ai.retrieval.documents",
    "gen_ai.memory.records",
    names.INPUT,
    names.OUTPUT,
    "langfuse.trace.input",
    "langfuse.trace.output",
)
_NEXT_MESSAGE: Final = '},{"role":'
#: Characters by which a mark may reach into a beginning that holds none.
_OVERLAP: Final = 8
#: Characters of base64 of which the media are remembered: an image comes again with each turn of a conversation.
_REMEMBERED: Final = 8_000_000

#: Beginnings of long texts that hold no media, by attribute.
_clean: dict[str, Recent[str, None]] = {name: Recent() for name in _CONTENT}
#: Replaced rather than changed, so that several threads may use it.
_recent_media: tuple[tuple[str | None, str, Medium], ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """The attributes without media, and those media that are to be uploaded, each once."""

    given: Given
    media: tuple[Medium, ...] = field(default=())


def taken_out(given: Given, mode: MediaMode) -> Taken:
    """``given`` (attributes of the conventions) with words in place of media, as ``mode`` has it. Media elsewhere stay links."""
    if mode == "keep":
        return Taken(given)
    found: dict[str, Medium] = {}

    def words(declared: str | None, base64: str) -> str | None:
        medium = _medium(declared, base64)
        if medium is None:
            return None
        if mode == "reference" or not medium.is_uploadable:
            return medium.reference
        found[medium.token] = medium
        return medium.token

    changed: dict[str, Any] = {}
    for name in _CONTENT:
        text = as_text(given[name]) if name in given else None
        if text and _is_suspect(name, text):
            made = replaced(text, words)
            if made is not text:
                changed[name] = made
    return Taken({**given, **changed}, tuple(found.values())) if changed else Taken(given)


@dataclass(frozen=True, slots=True)
class Placed:
    """A medium, and where its observation has it: input, output or metadata."""

    medium: Medium
    field: str


def still_there(media: Iterable[Medium], attributes: Mapping[str, Any]) -> list[Placed]:
    """The media whose tokens are left in the mapped ``attributes``: a policy on content may have taken them out."""
    fields = {"input": attributes.get(names.INPUT), "output": attributes.get(names.OUTPUT)}
    placed = []
    for medium in media:
        found = next((name for name, text in fields.items() if isinstance(text, str) and medium.token in text), None)
        if found is None and any(isinstance(value, str) and medium.token in value for value in attributes.values()):
            found = "metadata"
        if found is not None:
            placed.append(Placed(medium, found))
    return placed


def _is_suspect(name: str, text: str) -> bool:
    """Whether a text may hold media. Of a long one only what follows a known beginning is looked at."""
    if len(text) < LONG:
        return may_hold_media(text)
    known = _clean[name].beginning_of(text)
    if known is not None:
        return may_hold_media(text, len(known[0]) - _OVERLAP)
    if may_hold_media(text):
        return True
    first_end = text.find(_NEXT_MESSAGE)
    _clean[name].remember(text[: first_end if first_end > LONG else -1], None)
    return False


def _medium(declared: str | None, base64: str) -> Medium | None:
    """The medium that base64 holds, remembered for a while; None if it is not base64."""
    global _recent_media
    for known_type, known, medium in _recent_media:
        if known_type == declared and known == base64:
            return medium
    data = decoded(base64)
    if data is None:
        return None
    medium = Medium.of(content_type(declared, data), data)
    room, kept = _REMEMBERED - len(base64), []
    for entry in _recent_media:
        room -= len(entry[1])
        if room < 0:
            break
        kept.append(entry)
    if len(base64) <= _REMEMBERED:
        _recent_media = ((declared, base64, medium), *kept)
    return medium
