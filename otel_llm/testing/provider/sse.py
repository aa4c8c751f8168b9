"""Server-sent events, and the JSON inside them, as bytes."""

from __future__ import annotations

import json
from typing import Any

DONE = b"data: [DONE]\n\n"


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8. Lone surrogates U+DC80..U+DCFF become the bytes 0x80..0xFF, which no decoder takes for UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")


def frame(value: Any, event: str | None = None) -> bytes:
    """One event, with its name on a line of its own where the vendor sends one."""
    name = f"event: {event}\n".encode() if event else b""
    return b"%bdata: %b\n\n" % (name, encode(value))


def padded(value: Any, event: str, spaces: int) -> bytes:
    """One event with spaces before the closing brace, as Anthropic pads its events."""
    return b"event: %b\ndata: %b%b}\n\n" % (event.encode(), encode(value)[:-1], b" " * spaces)
