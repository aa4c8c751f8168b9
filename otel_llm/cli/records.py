"""Records of the disk queue as other programs can read them."""

from __future__ import annotations

import json
import struct
from typing import Final

#: The tag of the first field of an OTLP ExportTraceServiceRequest, and so the first byte of one that is not empty.
_OTLP: Final = b"\x0a"
#: Begins a record that carries media ahead of its OTLP request: four bytes of length and a JSON head that tells their sizes follow.
_MEDIA: Final = b"\x01"
_LENGTH: Final = struct.Struct(">I")
_ROWS: Final = b"{"


def readable(record: bytes) -> bytes | None:
    """An OTLP request, without the media that travel with it, or rows as JSON lines; None for a record of another kind."""
    if record.startswith(_OTLP):
        return record
    if record.startswith(_ROWS):
        return record.rstrip(b"\n") + b"\n"
    return _behind_media(record) if record.startswith(_MEDIA) else None


def has_media(record: bytes) -> bool:
    """Whether :func:`readable` leaves media out."""
    return record.startswith(_MEDIA)


def _behind_media(record: bytes) -> bytes | None:
    try:
        (size,) = _LENGTH.unpack_from(record, len(_MEDIA))
        start = len(_MEDIA) + _LENGTH.size + size
        head = json.loads(record[len(_MEDIA) + _LENGTH.size : start])
        request = record[start + sum(medium["size"] for medium in head["media"]) :]
    except (struct.error, ValueError, KeyError, TypeError):
        return None
    return request if request.startswith(_OTLP) else None
