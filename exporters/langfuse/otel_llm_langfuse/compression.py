"""A gzip body in which long texts that come with call after call are compressed once.

Pieces of a deflate stream can be joined after a full flush, for nothing that follows refers to what came before (``Z_FULL_FLUSH`` in
zlib's manual). Otherwise compressing a prompt of 280 KB takes ten times as long as all else that is done for its span.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_FASTEST: Final = 1
_RAW_DEFLATE: Final = -15
#: Without flags, name and time; compressed in the fastest way, on a system that does not matter (RFC 1952).
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
_TRAILER: Final = struct.Struct("<II")
#: Bytes by which a text is looked for.
_ANCHOR: Final = 64


def gzipped(records: Sequence[bytes], repeated: Iterable[str] = ()) -> bytes:
    """The records, joined, as one gzip member. ``repeated`` are texts that they may contain."""
    blocks = [_block(text) for text in repeated]
    packer = _packer()
    pieces, checksum, size = [_HEADER], 0, 0
    for record in records:
        checksum, size = zlib.crc32(record, checksum), size + len(record)
        view, block, start = memoryview(record), *_first_of(blocks, record)
        if block is None:
            pieces.append(packer.compress(view))
        else:
            pieces += packer.compress(view[:start]), packer.flush(zlib.Z_FULL_FLUSH), block.packed
            pieces.append(packer.compress(view[start + len(block.text) :]))
    return b"".join((*pieces, packer.flush(), _TRAILER.pack(checksum, size & 0xFFFFFFFF)))


@dataclass(frozen=True, slots=True)
class _Block:
    text: bytes
    packed: bytes


@lru_cache(maxsize=8)
def _block(text: str) -> _Block:
    encoded, packer = text.encode("utf-8", "replace"), _packer()
    return _Block(encoded, packer.compress(encoded) + packer.flush(zlib.Z_FULL_FLUSH))


def _first_of(blocks: Sequence[_Block], record: bytes) -> tuple[_Block | None, int]:
    """A block that is in the record, and where."""
    for block in blocks:
        if len(block.text) <= len(record):
            start = record.find(block.text[:_ANCHOR])
            if start >= 0 and record.startswith(block.text, start):
                return block, start
    return None, 0


def _packer() -> zlib._Compress:
    return zlib.compressobj(_FASTEST, zlib.DEFLATED, _RAW_DEFLATE)
