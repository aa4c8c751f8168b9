"""Values as PostgreSQL takes them: no NUL, no lone surrogate, no NaN, nothing longer than its column."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: The legacy writer's limit for one field, in characters of its JSON text, and what it kept of a longer one.
FIELD_LIMIT: Final = 50_000
KEPT_OF_LONG_FIELD: Final = 2_000

_LARGEST_INT: Final = 2**63 - 1
_DEEPEST: Final = 100


def clean_text(value: str, limit: int | None = None) -> str:
    """``value`` without NUL, lone surrogates replaced, cut to ``limit`` characters (not bytes, as VARCHAR(n) counts)."""
    text = value.replace("\x00", "")
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text if limit is None else text[:limit]


def clean_json(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON that a JSONB column takes. What has no such form (NaN, infinity, integers beyond 64 bits) becomes None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INT else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {clean_text(key): clean_json(item, depth + 1) for key, item in value.items() if isinstance(key, str)}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [clean_json(item, depth + 1) for item in value]
    return None


def bounded_field(value: Any) -> Any:
    """Clean JSON, or for a long one its beginning, length (in characters of its JSON text) and SHA-256: the legacy rule."""
    clean = clean_json(value)
    text = clean if isinstance(clean, str) else json.dumps(clean, ensure_ascii=False)
    if len(text) <= FIELD_LIMIT:
        return clean
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"repr": text[:KEPT_OF_LONG_FIELD], "_truncated": True, "sha256": digest, "length": len(text)}
