"""Records that carry media ahead of their OTLP request, so that a file travels with its span through any queue.

::

    01                       an OTLP request begins with 0a, the tag of its first field
    4 bytes, big-endian      length of the head
    head                     JSON: {"trace": 32 hex digits, "span": 16, "media": [{"type", "size", "sha256", "field"}, ...]}
    media                    the bytes of each, one after the other
    OTLP request             the rest

A record without media is the OTLP request alone.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json, to_json

from otel_llm_langfuse.media import Medium
from otel_llm_langfuse.media_taking import Placed

_VERSION: Final = b"\x01"
_LENGTH: Final = struct.Struct(">I")
_HEAD_START: Final = len(_VERSION) + _LENGTH.size


@dataclass(frozen=True, slots=True)
class Upload:
    """A medium of an observation. ``field`` is input, output or metadata."""

    medium: Medium
    trace_id: str
    observation_id: str
    field: str


@dataclass(frozen=True, slots=True)
class Opened:
    """OTLP requests, and the media that belong to their spans."""

    requests: list[bytes]
    uploads: list[Upload]


def packed(request: bytes, placed: Sequence[Placed], *, trace_id: str, observation_id: str) -> bytes:
    """The record of an OTLP request and its media; ids are hex digits."""
    if not placed:
        return request
    media = [
        {"type": each.medium.content_type, "size": len(each.medium.data), "sha256": each.medium.sha256, "field": each.field}
        for each in placed
    ]
    head = to_json({"trace": trace_id, "span": observation_id, "media": media})
    return b"".join((_VERSION, _LENGTH.pack(len(head)), head, *(each.medium.data for each in placed), request))


def opened(records: Sequence[bytes]) -> Opened:
    """Requests and media of a batch; bytes of media are views, not copies. Raises ValueError for a record that is damaged."""
    found = Opened([], [])
    for record in records:
        found.requests.append(_open(record, found.uploads) if record.startswith(_VERSION) else record)
    return found


def _open(record: bytes, uploads: list[Upload]) -> bytes:
    """The OTLP request of a record with media, which are added to ``uploads``."""
    try:
        (size,) = _LENGTH.unpack_from(record, len(_VERSION))
        view, start = memoryview(record), _HEAD_START + size
        head: dict[str, Any] = from_json(view[_HEAD_START:start].tobytes())
        for told in head["media"]:
            end = start + told["size"]
            medium = Medium(told["type"], view[start:end], told["sha256"])
            uploads.append(Upload(medium, head["trace"], head["span"], told["field"]))
            start = end
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError("the head of a record with media cannot be read") from error
    if start > len(record):
        raise ValueError("a record with media is cut short")
    return record[start:]
