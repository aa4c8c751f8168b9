"""The vendors' own header fields."""

from __future__ import annotations

from otel_llm.testing.provider.dialects import Dialect

_LIMIT = "10000"


def vendor_headers(dialect: Dialect, number: int, status: int) -> dict[str, str]:
    """Request id and rate limits; with a 429 also when to come back, in seconds."""
    limited = status == 429
    back = {"retry-after": "1"} if limited else {}
    if dialect.request_id is None:
        return back
    remaining = "0" if limited else "9999"
    fields = {dialect.request_id: f"req_{number:06d}"}
    for unit in ("requests", "tokens"):
        fields |= _anthropic(unit, remaining) if dialect.name == "anthropic" else _openai(unit, remaining)
    return fields | back


def _openai(unit: str, remaining: str) -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{unit}": _LIMIT,
        f"x-ratelimit-remaining-{unit}": remaining,
        f"x-ratelimit-reset-{unit}": "1s",
    }


def _anthropic(unit: str, remaining: str) -> dict[str, str]:
    return {
        f"anthropic-ratelimit-{unit}-limit": _LIMIT,
        f"anthropic-ratelimit-{unit}-remaining": remaining,
        f"anthropic-ratelimit-{unit}-reset": "2026-01-01T00:00:01Z",
    }
