"""Token counts by modality, under the conventions' names, as far as the provider tells them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from otel_llm.protocols.values import count, mapping, mappings, text

#: Those that the conventions have names for.
_MODALITIES: Final = ("text", "image", "audio")


def from_fields(direction: str, details: Any) -> dict[str, int]:
    """From ``{"audio_tokens": 7, ...}`` (OpenAI); ``direction`` is ``input``, ``output`` or ``cache_read.input``."""
    details = mapping(details)
    return _named(direction, ((modality, details.get(f"{modality}_tokens")) for modality in _MODALITIES))


def from_list(direction: str, details: Any, *, amount: str = "tokenCount") -> dict[str, int]:
    """From ``[{"modality": "AUDIO", "tokenCount": 7}, ...]`` (Google)."""
    found = ((text(each.get("modality")) or "", each.get(amount)) for each in mappings(details))
    return _named(direction, ((modality.lower(), tokens) for modality, tokens in found))


def _named(direction: str, counts: Iterable[tuple[str, Any]]) -> dict[str, int]:
    return {
        f"gen_ai.usage.{modality}.{direction}_tokens": tokens
        for modality, value in counts
        if modality in _MODALITIES and (tokens := count(value))
    }
