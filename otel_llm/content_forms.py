"""The short forms of a text or file: cut, as length and hash, or as a reference. Applied again they change nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

#: Characters of the shortest text that can be cut: what tells of the rest takes most of it.
SHORTEST: Final = 200

_MIME_TYPE: Final = re.compile(r"[\w.+/*-]{1,100}")
_HASHED: Final = re.compile(r"\[(?:[\w.+/*-]{1,100}, \d+ bytes|\d+ characters), sha256:[0-9a-f]{64}\]")
_DATA_URI: Final = re.compile(r"data:([\w.+/-]{0,100})(?:;[\w.+=-]{1,100})*;base64,")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
#: From here on, letters and digits without a space are taken to be a file.
_SHORTEST_FILE: Final = 256


def cut(text: str, max_chars: int) -> str:
    """``text`` of at most ``max_chars`` characters: its head and tail, and between them what is left out of how much."""
    if len(text) <= max_chars:
        return text
    digest = _sha256(text)
    room = max_chars - len(_left_out(len(text), len(text), digest))
    tail = room // 3
    head = room - tail
    return text[:head] + _left_out(len(text) - room, len(text), digest) + text[len(text) - tail :]


def hashed(text: str) -> str:
    """Length and SHA-256 of ``text``; an empty text and one of this form as they are."""
    return text if not text or _HASHED.fullmatch(text) else f"[{len(text)} characters, sha256:{_sha256(text)}]"


def is_file(text: str) -> bool:
    """Whether a text is base64: a data URI, or long enough to be nothing else."""
    if text.startswith("data:"):
        found = _DATA_URI.match(text)
        return found is not None and _BASE64.fullmatch(text, found.end()) is not None
    return len(text) >= _SHORTEST_FILE and _BASE64.fullmatch(text) is not None


def reference(text: str, mime_type: str | None = None) -> str:
    """Type, bytes and SHA-256 of the file that a base64 text or a data URI holds."""
    found = _DATA_URI.match(text)
    encoded = text[found.end() :] if found else text
    told = mime_type or (found.group(1) if found else "")
    kind = told if _MIME_TYPE.fullmatch(told) else "base64"
    try:
        content = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        content = encoded.encode("utf-8", "replace")
    return f"[{kind}, {len(content)} bytes, sha256:{hashlib.sha256(content).hexdigest()}]"


def _left_out(count: int, length: int, digest: str) -> str:
    return f"\n[... {count} of {length} characters left out, sha256:{digest} ...]\n"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
