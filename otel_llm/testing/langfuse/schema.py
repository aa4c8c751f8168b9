"""The strict schema of the legacy path. A field of the wrong type drops the whole observation or trace, silently for the client."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

Fault = dict[str, str]
Check = Callable[[Any], str | None]

_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_LONGEST_NAME: Final = 1000


def observation_faults(fields: dict[str, Any]) -> list[Fault]:
    """Why an observation with these fields is refused; empty if it is not."""
    faults = _faults(_OBSERVATION, fields)
    if not faults and bool(fields.get("prompt_name")) != bool(fields.get("prompt_version")):
        return [{"field": "", "message": "Invalid input"}]
    return faults


def trace_faults(fields: dict[str, Any]) -> list[Fault]:
    """Why a trace with these fields is refused; empty if it is not."""
    return _faults(_TRACE, fields)


def _faults(checks: dict[str, tuple[str, Check]], fields: dict[str, Any]) -> list[Fault]:
    found = ((checks[name], value) for name, value in fields.items() if value is not None and name in checks)
    return [{"field": field, "message": message} for (field, check), value in found if (message := check(value))]


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) else f"Invalid input: expected string, received {_type(value)}"


def _name(value: Any) -> str | None:
    too_long = isinstance(value, str) and len(value) > _LONGEST_NAME
    return f"Too big: expected string to have <={_LONGEST_NAME} characters" if too_long else _string(value)


def _datetime(value: Any) -> str | None:
    """ISO 8601 with a zone."""
    return _string(value) or (None if _DATETIME.fullmatch(value) else "Invalid ISO datetime")


def _integer(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"Invalid input: expected number, received {_type(value)}"
    return None if value == int(value) else "Invalid input: expected int, received number"


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "number", float: "number", list: "array"}.get(type(value), "object")


#: Our name of a field to the schema's, and its check.
_OBSERVATION: Final[dict[str, tuple[str, Check]]] = {
    "status_message": ("statusMessage", _string),
    "version": ("version", _string),
    "completion_start_time": ("completionStartTime", _datetime),
    "prompt_name": ("promptName", _string),
    "prompt_version": ("promptVersion", _integer),
}
_TRACE: Final[dict[str, tuple[str, Check]]] = {
    "trace_name": ("name", _name),
    "release": ("release", _string),
    "version": ("version", _string),
}
