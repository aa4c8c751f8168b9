"""Tolerant readers of attributes: the first usable value under any of several names, in the type that Langfuse needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from pydantic_core import from_json

from otel_llm.content import json_text

Given: TypeAlias = Mapping[str, Any]

_INT64_MAX = 2**63 - 1
#: Made once: a union made for each value takes longer than all else that is done with it.
_NUMBER: Final = int | float | str


def names_under(given: Given, *prefixes: str) -> tuple[str, ...]:
    """The names that begin with one of the prefixes."""
    return _names_under(tuple(given), prefixes)


@lru_cache(maxsize=1024)
def _names_under(names: tuple[str, ...], prefixes: tuple[str, ...]) -> tuple[str, ...]:
    """Kept, for the spans of an application have the same few sets of names again and again."""
    return tuple(name for name in names if name.startswith(prefixes))


def text(given: Given, *names: str) -> str | None:
    """The first value that is there and not empty, as text."""
    for name in names:
        if name in given and (value := as_text(given[name])):
            return value
    return None


def count(given: Given, *names: str) -> int | None:
    """The first whole number that is not negative; digits as text count, too."""
    for name in names:
        if name in given and (value := as_count(given[name])) is not None:
            return value
    return None


def amount(given: Given, *names: str) -> float | None:
    """The first finite number that is not negative; numbers as text count, too."""
    for name in names:
        if name in given and (value := as_amount(given[name])) is not None:
            return value
    return None


def texts(given: Given, name: str) -> list[str]:
    """A list of texts: an array, the JSON text of one, or words with commas between them."""
    value = given.get(name)
    if value is None:
        return []
    if isinstance(value, str):
        parsed = parsed_json(value) if value.lstrip().startswith("[") else None
        value = parsed if isinstance(parsed, list) else [word.strip() for word in value.split(",")]
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [item for item in map(as_text, value) if item]
    return []


def as_text(value: Any) -> str | None:
    """Text as it is, anything else as its JSON text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json_text(value)


def as_count(value: Any) -> int | None:
    """A whole number from 0 to the largest that OTLP carries."""
    if type(value) is int:
        return value if 0 <= value <= _INT64_MAX else None
    number = as_amount(value)
    if number is None or not number.is_integer():
        return None
    whole = value if isinstance(value, int) else int(number)
    return whole if whole <= _INT64_MAX else None


def as_amount(value: Any) -> float | None:
    """A finite number that is not negative."""
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def parsed_json(value: Any) -> Any:
    """What a JSON text says; None if it is not JSON. A value that is structured already is returned as it is."""
    if isinstance(value, bytes | str):
        try:
            return from_json(value, allow_inf_nan=False)
        except (ValueError, TypeError):  # TypeError: half surrogate pairs
            return None
    return list(value) if isinstance(value, tuple) else value


def unquoted(value: Any) -> Any:
    """A value of metadata, text without the quotes of JSON.

    SDK 5 of Langfuse tells text as JSON, and the server reads it so from that SDK alone; SDK 4 tells it as it is.
    """
    read = parsed_json(value) if isinstance(value, str) and value.startswith('"') else None
    return read if isinstance(read, str) else value
