"""What a score may say: its value in the type that Langfuse has for it, and what is known of it beside. Faults are ValueErrors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic_core import PydanticSerializationError, to_jsonable_python

Value = bool | float | str
DataType = Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION"]

_DATA_TYPES: Final = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
_LONGEST_TEXT: Final = 500


def typed_value(name: str, value: Value, data_type: DataType | None) -> tuple[float | str, str]:
    """The value as Langfuse takes it, and its data type: given, or that of the value."""
    kind = data_type or _kind(value)
    if kind not in _DATA_TYPES:
        raise ValueError(f"score {name!r}: data_type must be one of {', '.join(_DATA_TYPES)}")
    if kind == "BOOLEAN":
        if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
            return int(value), kind
        raise _unfit(name, kind, "True or False", value)
    if kind == "NUMERIC":
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return value, kind
        raise _unfit(name, kind, "a finite number", value)
    if not isinstance(value, str) or not value:
        raise _unfit(name, kind, "a text that is not empty", value)
    if kind == "TEXT" and len(value) > _LONGEST_TEXT:
        raise ValueError(f"score {name!r}: a TEXT has at most {_LONGEST_TEXT} characters, this one has {len(value)}")
    return value, kind


def checked_name(name: str) -> str:
    """A name that is not empty."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("a score needs a name")
    return name


def checked_time(timestamp: datetime | None) -> str:
    """ISO 8601 in UTC, to the millisecond; now if there is none."""
    if timestamp is None:
        timestamp = datetime.now(UTC)
    if timestamp.tzinfo is None:
        raise ValueError("the timestamp of a score needs a time zone")
    return timestamp.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def checked_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Metadata that JSON can tell."""
    if metadata is None:
        return None
    try:
        return dict(to_jsonable_python(dict(metadata), inf_nan_mode="strings"))
    except (PydanticSerializationError, TypeError, ValueError) as error:
        raise ValueError(f"the metadata of a score must be values of JSON ({type(error).__name__})") from None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    return "CATEGORICAL" if isinstance(value, str) else "NUMERIC"


def _unfit(name: str, kind: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"score {name!r}: {kind} takes {wanted}, not {type(value).__name__}")
