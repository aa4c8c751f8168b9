"""Any Python value as JSON text of bounded length, without running more of its code than needed."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from otel_llm.content import json_text

#: Characters of text that are kept of a value in all.
MAX_CHARS: Final = 65_536
_DEEPEST: Final = 16
_MOST_BITS: Final = 4_096
_TEXTS: Final = (str, date, time, timedelta, Decimal, PurePath, UUID)


def text_of(value: object) -> str | None:
    """A text as it is, anything else as JSON text; None for None.

    Texts are cut where the whole gets too long. What is neither data nor text is told by the name of its type alone: its ``repr`` may
    be costly, or tell secrets. Iterators are not read. Never raises.
    """
    if value is None:
        return None
    plain = _Telling().told(value)
    return plain if isinstance(plain, str) else json_text(plain)


def cut(text: str, max_chars: int) -> str:
    """The first ``max_chars`` characters, and how many were left out."""
    if len(text) > max_chars:
        text = f"{text[:max_chars]} [... {len(text) - max_chars} characters left out]"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class _Telling:
    """One value being told: how much room is left."""

    def __init__(self) -> None:
        self._room = MAX_CHARS

    def told(self, value: object, depth: int = 0) -> Any:
        try:
            return self._told(value, depth)
        except Exception:  # noqa: BLE001  (whatever the value's own code raises)
            return _kind(value)

    def _told(self, value: Any, depth: int) -> Any:
        self._room -= 4
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, Enum):
            return self.told(value.value, depth + 1)
        if isinstance(value, int):
            return int(value) if value.bit_length() <= _MOST_BITS else _kind(value)
        if isinstance(value, _TEXTS):
            return self._text(str(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if depth >= _DEEPEST:
            return _kind(value)
        members = _members(value)
        if members is not None:
            return self._object(members, depth)
        if isinstance(value, list | tuple | set | frozenset | deque):
            return self._list(value, depth)
        return _kind(value)

    def _text(self, text: str) -> str:
        kept = cut(text, max(0, self._room))
        self._room -= len(kept)
        return kept

    def _object(self, members: Iterable[tuple[Any, Any]], depth: int) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for name, item in members:
            if self._room <= 0:
                told["..."] = "left out"
                break
            key = self._text(name if isinstance(name, str) else str(self.told(name, _DEEPEST)))
            told[key] = self.told(item, depth + 1)
        return told

    def _list(self, items: Iterable[Any], depth: int) -> list[Any]:
        told: list[Any] = []
        for item in items:
            if self._room <= 0:
                told.append("... left out")
                break
            told.append(self.told(item, depth + 1))
        return told


def _members(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Names and values of a mapping, a named tuple, a dataclass or a model of pydantic's; None for anything else."""
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, tuple):
        return zip(value._fields, value, strict=True) if hasattr(value, "_fields") else None
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr]
    fields = getattr(type(value), "model_fields", None)
    if not isinstance(fields, dict):
        return None
    return [(name, item) for name, item in vars(value).items() if name in fields and fields[name].repr]


def _kind(value: object) -> str:
    return f"<{type(value).__name__}>"
