"""Several records as one blob: each preceded by its length, four bytes, big-endian."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_LENGTH: Final = struct.Struct(">I")


def packed(records: Sequence[bytes]) -> bytes:
    """The blob of ``records``, none of which may reach 4 GiB."""
    return b"".join(piece for record in records for piece in (_LENGTH.pack(len(record)), record))


def unpacked(blob: bytes) -> list[bytes]:
    """The records of a blob. What follows a length that cannot be is left out."""
    records: list[bytes] = []
    place, end = 0, len(blob)
    while place + _LENGTH.size <= end:
        (length,) = _LENGTH.unpack_from(blob, place)
        place += _LENGTH.size
        if place + length > end:
            break
        records.append(blob[place : place + length])
        place += length
    return records
