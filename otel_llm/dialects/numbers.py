"""Numbers of attributes, which some emitters write as text."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.values import count, number


def whole(value: Any) -> int | None:
    """A whole number from 0 to the largest that OTLP carries, also as digits or a float."""
    if isinstance(value, str):
        value = real(value)
    return count(value)


def real(value: Any) -> float | None:
    """A finite number, also as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)
