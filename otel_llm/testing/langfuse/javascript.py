"""Values as the server's language treats them: Langfuse is written in JavaScript, and what it stores shows it."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NoReturn

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def truthy(value: Any) -> bool:
    """Whether a condition on the value holds. Unlike in Python, empty lists and objects are true."""
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and value == value  # NaN, which differs from itself, is false


def text(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    return value if isinstance(value, str) else stringify(value)


def number(value: Any) -> float | int | None:
    """``Number(value)``; None stands for NaN."""
    if isinstance(value, str):
        try:
            return _plain(float(value)) if value.strip() else 0
        except ValueError:
            return None
    if isinstance(value, (int, float)):
        return _plain(value) if math.isfinite(value) else None
    return None


def parse(document: Any) -> Any:
    """``JSON.parse``. Raises ValueError for anything but valid JSON text."""
    if not isinstance(document, str):
        document = stringify(document)
    try:
        return json.loads(document, parse_float=lambda digits: _plain(float(digits)), parse_constant=_refuse)
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure


def parsed(value: Any) -> Any:
    """The decoded value of a string that holds JSON, otherwise the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        return value


def parsed_object(document: Any) -> dict[str, Any] | None:
    """The object that a JSON text holds. None for other JSON and for no JSON."""
    value = parsed(document)
    return value if isinstance(value, dict) else None


def stringify(value: Any) -> str:
    """``JSON.stringify`` without indentation."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", encode_basestring(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{stringify(str(key))}:{stringify(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(stringify, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _digits(value)


def _digits(value: float) -> str:
    """A number's shortest text: exponents only from 1e21 and below 1e-6."""
    if not math.isfinite(value):
        return "null"
    value = _plain(value)
    if isinstance(value, int):
        return str(value)
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return mantissa
    return format(Decimal(repr(value)), "f") if -7 < int(exponent) < 0 else f"{mantissa}e{int(exponent):+d}"


def _plain(value: float) -> float | int:
    """JavaScript has one kind of number: 1.0 is 1, and integers are exact up to 2**53."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    return int(value) if abs(value) <= 2**53 else _plain(float(value))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
