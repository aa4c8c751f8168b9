"""Bytes of a response body, in whatever pieces they arrive, to decoded events.

A body is an event stream (server-sent events), one JSON document a line, a JSON document, or a JSON array whose elements are events.
The format is decided from the bytes, because content types are missing or wrong on real wires; the content type only decides where
the bytes say nothing. Nothing here raises, and memory is bounded.
"""

from __future__ import annotations

import enum
from typing import Any, Final

from otel_llm.protocols.framing_document import DocumentReader
from otel_llm.protocols.framing_events import EventReader
from otel_llm.protocols.framing_json import DONE, decode_json
from otel_llm.protocols.framing_lines import LineReader

__all__ = ["DONE", "MAX_PENDING", "Format", "Framing", "decode_json"]

#: Bytes that may wait for the end of their line, event or document.
MAX_PENDING: Final = 16 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_FIELD_STARTS: Final = (b":", b"data:", b"event:", b"id:", b"retry:")
_EVENT_TYPE: Final = "text/event-stream"
_LINE_TYPES: Final = frozenset(
    f"application/{name}"
    for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines", "stream+json")
)
#: The first line of a document that is spread over lines, whatever its content type says.
_SPREAD: Final = (b"{\n", b"{\r\n")


class Format(enum.Enum):
    """What a body was found to be. A document is the body itself; of the others the events are to be folded."""

    EVENTS = "server-sent events"
    LINES = "JSON lines"
    DOCUMENT = "JSON document"
    ARRAY = "JSON array"


class Framing:
    """One response body being read. ``feed`` it every piece, then ``end`` it; both give the events that became complete.

    An event is decoded JSON, or ``DONE``. An ``event: error`` is always given as ``{"error": ...}``, whatever its data looks like.
    """

    __slots__ = ("_reader", "_type", "format", "overflowed", "skipped")

    def __init__(self, content_type: str | None = None) -> None:
        self._type = (content_type or "").partition(";")[0].strip().lower()
        #: None until the first bytes have decided. A document may still turn out to be lines, before it gives any event.
        self.format: Format | None = None
        #: Events that could not be decoded.
        self.skipped = 0
        #: More than ``MAX_PENDING`` bytes came without an end of line, event or document; the rest of the body is not read.
        self.overflowed = False
        self._reader: DocumentReader | EventReader | LineReader = DocumentReader()

    @property
    def streamed(self) -> bool:
        """Whether the events are pieces of the answer, to be folded, rather than the whole body."""
        return self.format not in (None, Format.DOCUMENT)

    def feed(self, data: bytes) -> list[Any]:
        if not data or self.overflowed:
            return []
        if self.format is None:
            data = self._sniff(data)
        events = self._read(data)
        self.skipped = self._reader.skipped
        if self._reader.pending > MAX_PENDING:
            self.overflowed = True
            self._reader = DocumentReader()
        return events

    def end(self) -> list[Any]:
        """What was still waiting: a last event without its blank line, a last line without its end, or the document."""
        if self.overflowed:
            return []
        events = self._decide(self._format_by_type()) if self.format is None else []
        events += self._reader.end()
        self.skipped = self._reader.skipped
        if self.format is Format.ARRAY:
            return events[0] if events and isinstance(events[0], list) else []
        return events

    def _sniff(self, data: bytes) -> bytes:
        """Decide the format, if the bytes so far allow it; gives the bytes to go on with."""
        assert isinstance(self._reader, DocumentReader)
        head = (self._reader.take() + data).lstrip()
        while head.startswith(_BOM):
            head = head[len(_BOM) :].lstrip()
        found = self._format_of(head)
        if found is not None:
            self._decide(found)
        return head

    def _format_of(self, head: bytes) -> Format | None:
        """None: there are too few bytes."""
        if head.startswith(b"["):
            return Format.ARRAY
        if head.startswith(b"{") and self._type in _LINE_TYPES:
            if head.startswith(_SPREAD):
                return Format.DOCUMENT
            return None if head in (b"{", b"{\r") else Format.LINES
        if head.startswith(b"{"):
            return Format.DOCUMENT
        if head.startswith(_FIELD_STARTS):
            return Format.EVENTS
        if any(start.startswith(head) for start in (*_FIELD_STARTS, _BOM)):
            return None
        return self._format_by_type()

    def _format_by_type(self) -> Format:
        if self._type in _LINE_TYPES:
            return Format.LINES
        return Format.EVENTS if self._type == _EVENT_TYPE else Format.DOCUMENT

    def _decide(self, found: Format) -> list[Any]:
        """Read on in this format; gives the events of the bytes that were kept."""
        assert isinstance(self._reader, DocumentReader)
        self.format = found
        if found not in (Format.EVENTS, Format.LINES):
            return []
        kept = self._reader.take()
        self._reader = EventReader() if found is Format.EVENTS else LineReader()
        return self._reader.feed(kept)

    def _read(self, data: bytes) -> list[Any]:
        reader = self._reader
        if not isinstance(reader, DocumentReader):
            return reader.feed(data)
        if self.format is Format.DOCUMENT and reader.has_lines(data):
            return self._decide(Format.LINES)
        if self.format is not Format.DOCUMENT:
            reader.keep(data)
        return []
