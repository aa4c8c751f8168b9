"""JSON as vendors really send it."""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic_core import from_json

#: The event that ends a stream of OpenAI's kind, which is not JSON. Given to ``Fold.feed`` like any other.
DONE: Final = "[DONE]"


def decode_json(data: bytes | str, *, nan: bool = True) -> Any:
    """The value of a JSON text. Takes invalid UTF-8 (replaced), a byte order mark, lone surrogates and, with ``nan``, NaN and Infinity.

    Raises ValueError, and nothing else, if it is not JSON or nested too deeply.
    """
    try:
        return from_json(data, allow_inf_nan=nan)
    except ValueError:
        decoded = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        return json.loads(decoded.removeprefix("\ufeff"), parse_constant=None if nan else _refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def decode_event(data: bytes) -> Any:
    """The event that the bytes are: decoded JSON, or ``DONE``. Raises ValueError, and nothing else, for anything else."""
    try:
        return decode_json(data)
    except ValueError:
        if data.strip() == b"[DONE]":
            return DONE
        raise


def decode_cut(data: bytes) -> Any:
    """As much as arrived of a document that was cut off; None for anything that is not the beginning of JSON."""
    try:
        return from_json(data, allow_partial="trailing-strings")
    except ValueError:
        return None
