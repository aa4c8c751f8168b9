"""Attribute values in the few types that all that follows can read, whatever an emitter put there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm.span_copies import copy_with

_SCALARS: Final = frozenset({str, bool, int, float, bytes, type(None)})
#: Levels of structured values; the deepest that the conventions have are below ten. What is deeper would exhaust the stack.
_MOST_LEVELS: Final = 64
_DEEPER: Final = "[... nested too deeply ...]"


def with_plain_values(span: ReadableSpan) -> ReadableSpan:
    """``span`` itself, unless it or an event has values that are neither scalars nor arrays of them; then a copy with plain ones.

    The SDK takes maps and arrays of any depth, and a span made by hand has anything. Never raises.
    """
    if _are_plain(span.attributes) and all(_are_plain(event.attributes) for event in span.events):
        return span
    attributes = _plain_members(span.attributes or {}, _MOST_LEVELS)
    events = [Event(event.name, _plain_members(event.attributes or {}, _MOST_LEVELS), event.timestamp) for event in span.events]
    return copy_with(span, attributes=attributes, events=events)


def _are_plain(attributes: Mapping[str, Any] | None) -> bool:
    return attributes is None or all(
        type(value) in _SCALARS or (type(value) is tuple and _SCALARS.issuperset(map(type, value)))
        for value in attributes.values()
    )


def _plain(value: Any, levels: int) -> Any:
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    if not isinstance(value, Mapping | list | tuple):
        return _text(value)
    if not levels:
        return _DEEPER
    if isinstance(value, Mapping):
        return _plain_members(value, levels)
    made = (_plain(item, levels - 1) for item in value)
    return tuple(made) if isinstance(value, tuple) else list(made)


def _plain_members(value: Mapping[Any, Any], levels: int) -> dict[str, Any]:
    return {key if isinstance(key, str) else _text(key): _plain(item, levels - 1) for key, item in value.items()}


def _text(value: Any) -> str:
    """What ``str`` makes of an object of any type, of which some cannot be told."""
    try:
        return str.__str__(str(value))
    except Exception:  # noqa: BLE001  (code of whoever made the object)
        return f"[{type(value).__name__}]"
