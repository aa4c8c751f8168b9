"""Reading decoded JSON that may hold anything: each function gives the value in the type asked for, or says that it is not there.

Vendors send empty strings, nulls and wrong types for what is absent, so the empty string counts as absent too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from otel_llm.protocols.facts import Scalar

#: Keys of a request body: the attribute that each is for, and how to read it (None: not there).
AttributeTable: TypeAlias = "Mapping[str, tuple[str, Callable[[Any], Scalar | None]]]"

#: OpenTelemetry attributes are 64 bit; JSON integers are not.
_INT64_END = 2**63


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array; anything else in it is left out."""
    return [element for element in elements(value) if isinstance(element, dict)]


def text(value: Any) -> str | None:
    """A non-empty string that can be encoded as UTF-8. For names and ids; content is passed on as it is."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def texts(value: Any) -> tuple[str, ...] | None:
    """The strings of an array, or the one string; None if there are none."""
    given = value if isinstance(value, list) else [value]
    return tuple(found for each in given if (found := text(each))) or None


def integer(value: Any) -> int | None:
    """A 64-bit integer, also if it was sent as ``12.0``."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64_END <= value < _INT64_END:
        return None
    return value


def count(value: Any) -> int | None:
    """An integer that is not negative."""
    found = integer(value)
    return found if found is not None and found >= 0 else None


def number(value: Any) -> float | None:
    """A finite number, as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def read_attributes(body: Mapping[str, Any], table: AttributeTable) -> dict[str, Scalar]:
    """Attributes of a request body. Where two keys are for one attribute, the first in the table counts."""
    attributes: dict[str, Scalar] = {}
    for key, (name, read) in table.items():
        if key in body and name not in attributes and (value := read(body[key])) is not None:
            attributes[name] = value
    return attributes
