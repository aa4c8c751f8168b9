"""A model that somebody offers, as far as choosing one goes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

_PER_MILLION: Final = 1_000_000
#: No price is near that, in USD per token; above it there is a mistake, and figures that nobody can print.
_HIGHEST: Final = 1_000
_DECIMALS: Final = 6
_LONGEST_CONTEXT: Final = 10**12


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One line of a catalogue. None: the list does not say, or it varies."""

    #: ``openrouter`` or ``ollama``.
    provider: str
    #: Its id there.
    model: str
    #: For people.
    name: str
    description: str = ""
    #: Tokens of prompt and answer together.
    context_length: int | None = None
    #: USD per million tokens.
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    #: Nothing of it costs anything.
    free: bool = False
    #: What it takes and gives: ``text``, ``image``, ``audio``, ``file``, ``video``, ``embeddings``, ...
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    tools: bool | None = None
    #: The day from which it is no longer offered, as the list has it.
    expires: str | None = None

    @property
    def text(self) -> str:
        """``provider:model``, as ``LLM`` takes it and ``otel-llm models set``."""
        return f"{self.provider}:{self.model}"


def price(per_token: object) -> Decimal | None:
    """USD per million tokens from USD per token, a decimal string; None for what is no price. OpenRouter has -1 for ones that vary."""
    if isinstance(per_token, bool) or not isinstance(per_token, str | int | float):
        return None
    try:
        value = Decimal(str(per_token))
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 <= value <= _HIGHEST:
        return None
    return round(value * _PER_MILLION, _DECIMALS).normalize() + 0


def count(value: object) -> int | None:
    """A number of tokens; None for what is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LONGEST_CONTEXT
    return value if is_count and isinstance(value, int) else None


def words(value: object) -> tuple[str, ...] | None:
    """A list's strings; None if it is no list."""
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else None


def mapping(value: object) -> dict[str, Any]:
    """An object's fields; none if it is no object."""
    return value if isinstance(value, dict) else {}


def string(value: object) -> str:
    """A text; empty if it is none."""
    return value if isinstance(value, str) else ""
