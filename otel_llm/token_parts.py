"""The tokens of one call, split into parts that exclude one another, as prices and buckets need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: More tokens than this are no count. Up to here decimals calculate exactly.
_MOST_TOKENS: Final = 10**12


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one call in the conventions' sense: input includes the cache, output includes reasoning. None: not known."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read: int | None = None
    #: All writes, of which ``cache_write_5m`` and ``cache_write_1h`` are parts.
    cache_write: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    reasoning: int | None = None
    #: Parts of the input and output by modality; what is left is text.
    input_audio: int | None = None
    input_image: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    #: Parts of ``cache_read``, and of the input's audio and images.
    cache_read_audio: int | None = None
    cache_read_image: int | None = None


def exclusive_parts(usage: TokenCounts) -> dict[str, int]:
    """Each token once, by the field of ``TokenCounts`` that says most about it: ``input`` and ``output`` are what no other says.

    Where it is not known which of the cached tokens are audio or images, text is taken to be cached first. Raises ValueError for
    counts that contradict each other.
    """
    parts = _plain_input(usage)
    _add_output(usage, parts)
    if usage.input_audio or usage.input_image:
        _split_media_in(usage, parts)
    if usage.output_audio or usage.output_image:
        _split_media_out(usage, parts)
    if min(parts.values()) < 0 or max(usage.input_tokens or 0, usage.output_tokens or 0) > _MOST_TOKENS:
        raise ValueError("parts of the tokens are larger than the whole")
    return parts


def _plain_input(usage: TokenCounts) -> dict[str, int]:
    read, written = usage.cache_read or 0, usage.cache_write or 0
    short, long = usage.cache_write_5m or 0, usage.cache_write_1h or 0
    parts = {"input": (usage.input_tokens or 0) - read - written}
    if read:
        parts["cache_read"] = read
    if written or short or long:
        parts |= {"cache_write": written - short - long, "cache_write_5m": short, "cache_write_1h": long}
    return parts


def _add_output(usage: TokenCounts, parts: dict[str, int]) -> None:
    """Some vendors report more reasoning than output: then all of the output is reasoning."""
    parts["output"] = answered = usage.output_tokens or 0
    if usage.reasoning:
        parts["reasoning"] = min(usage.reasoning, answered - (usage.output_audio or 0) - (usage.output_image or 0))
        parts["output"] -= parts["reasoning"]


def _split_media_in(usage: TokenCounts, parts: dict[str, int]) -> None:
    audio, image = usage.input_audio or 0, usage.input_image or 0
    beyond = max(0, audio + image - parts["input"])
    cached_audio = min(audio, beyond) if usage.cache_read_audio is None else usage.cache_read_audio
    cached_image = max(0, beyond - cached_audio) if usage.cache_read_image is None else usage.cache_read_image
    parts["input"] -= audio + image - cached_audio - cached_image
    parts |= {"input_audio": audio - cached_audio, "input_image": image - cached_image}
    if cached_audio or cached_image:
        parts["cache_read"] = parts.get("cache_read", 0) - cached_audio - cached_image
        parts |= {"cache_read_audio": cached_audio, "cache_read_image": cached_image}


def _split_media_out(usage: TokenCounts, parts: dict[str, int]) -> None:
    audio, image = usage.output_audio or 0, usage.output_image or 0
    parts["output"] -= audio + image
    parts |= {"output_audio": audio, "output_image": image}
