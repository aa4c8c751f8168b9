"""Bytes of a response body, in whatever pieces they arrive, to decoded events.

A body is an event stream (server-sent events), a JSON document, or a JSON array whose elements are events. The format is decided
from the first bytes, because content types are missing or wrong on real wires; the content type only decides where the bytes say
nothing. Nothing here raises, and memory is bounded.
"""

from __future__ import annotations

import enum
import json
from typing import Any, Final

from pydantic_core import from_json

#: The event that ends a stream of OpenAI's kind, which is not JSON. Given to ``Fold.feed`` like any other.
DONE: Final = "[DONE]"

#: Bytes that may wait for the end of their line, event or document.
MAX_PENDING: Final = 16 * 1024 * 1024

_BOM: Final = b"\xef\xbb\xbf"
_FIELD_STARTS: Final = (b":", b"data:", b"event:", b"id:", b"retry:")


class Format(enum.Enum):
    """What a body was found to be. Of an event stream and an array the events are to be folded; a document is the body itself."""

    EVENTS = "server-sent events"
    DOCUMENT = "JSON document"
    ARRAY = "JSON array"


def decode_json(data: bytes | str, *, nan: bool = True) -> Any:
    """The value of a JSON text. Takes invalid UTF-8 (replaced), a byte order mark, lone surrogates and, with ``nan``, NaN and Infinity.

    Raises ValueError, and nothing else, if it is not JSON or nested too deeply.
    """
    try:
        return from_json(data, allow_inf_nan=nan)
    except ValueError:
        decoded = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        return json.loads(decoded.removeprefix("\ufeff"), parse_constant=None if nan else _refuse)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


class Framing:
    """One response body being read. ``feed`` it every piece, then ``end`` it; both give the events that became complete.

    An event is decoded JSON, or ``DONE``. An ``event: error`` is always given as ``{"error": ...}``, whatever its data looks like.
    """

    __slots__ = ("_after_cr", "_data", "_data_size", "_event", "_pending", "_tail", "_type", "format", "overflowed", "skipped")

    def __init__(self, content_type: str | None = None) -> None:
        self._type = (content_type or "").partition(";")[0].strip().lower()
        #: None until the first bytes have decided.
        self.format: Format | None = None
        #: Events that could not be decoded.
        self.skipped = 0
        #: More than ``MAX_PENDING`` bytes came without an end of line, event or document; the rest of the body is not read.
        self.overflowed = False
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._data_size = 0
        self._pending = 0
        self._event = b""
        self._after_cr = False

    @property
    def streamed(self) -> bool:
        """Whether the events are pieces of the answer, to be folded, rather than the whole body."""
        return self.format in (Format.EVENTS, Format.ARRAY)

    def feed(self, data: bytes) -> list[Any]:
        if not data or self.overflowed:
            return []
        if self.format is None:
            data = self._sniff(data)
        events: list[Any] = []
        if self.format is Format.EVENTS:
            events = self._read_lines(data)
        elif self.format is not None:
            self._keep(data)
        if self._pending > MAX_PENDING:
            self._give_up()
        return events

    def end(self) -> list[Any]:
        """What was still waiting: a last event without its blank line, or the document."""
        if self.format is None:
            self.format = Format.EVENTS if self._type == "text/event-stream" else Format.DOCUMENT
        if self.format is Format.EVENTS:
            return self._read_lines(b"\n\n")
        whole = b"".join(self._tail)
        self._tail.clear()
        return self._decode_document(whole) if whole.strip() else []

    def _sniff(self, data: bytes) -> bytes:
        """Decide the format, if the bytes so far allow it; gives the bytes to go on with."""
        head = b"".join((*self._tail, data)).lstrip()
        self._tail.clear()
        while head.startswith(_BOM):
            head = head[len(_BOM) :].lstrip()
        if head[:1] in (b"{", b"["):
            self.format = Format.ARRAY if head[:1] == b"[" else Format.DOCUMENT
        elif head.startswith(_FIELD_STARTS):
            self.format = Format.EVENTS
        elif any(start.startswith(head) for start in (*_FIELD_STARTS, _BOM)):
            self._keep(head)
        else:
            self.format = Format.EVENTS if self._type == "text/event-stream" else Format.DOCUMENT
        return head

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._pending += len(data)

    def _give_up(self) -> None:
        self.overflowed = True
        self._tail.clear()
        self._data.clear()
        self._pending = 0

    # --- server-sent events -------------------------------------------------------------------------------------------

    def _read_lines(self, data: bytes) -> list[Any]:
        if self._after_cr and data[:1] == b"\n":  # CR LF, cut in two
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *lines = data.split(b"\n")
        self._keep(first)
        if not lines:
            return []
        lines.insert(0, b"".join(self._tail))
        self._tail = [lines.pop()]
        return self._read_fields(lines)

    def _read_fields(self, lines: list[bytes]) -> list[Any]:
        events: list[Any] = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
                self._data_size += len(line)
            elif line.startswith(b"event:"):
                self._event = line[6:].strip()
            elif not line:
                if self._data:
                    self._decode_event(events)
                self._event = b""
        self._pending = len(self._tail[0]) + self._data_size
        return events

    def _decode_event(self, events: list[Any]) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._data_size = 0
        is_error = self._event == b"error"
        try:
            event = decode_json(data)
        except ValueError:
            stripped = data.strip()
            if stripped == b"[DONE]":
                event = DONE
            elif is_error:
                event = stripped.decode("utf-8", "replace")
            else:
                self.skipped += bool(stripped)
                return
        if is_error and not (isinstance(event, dict) and "error" in event):
            event = {"error": event}
        events.append(event)

    # --- documents ----------------------------------------------------------------------------------------------------

    def _decode_document(self, whole: bytes) -> list[Any]:
        try:
            document = decode_json(whole)
        except ValueError:
            self.skipped += 1
            document = _decode_cut(whole)
        if self.format is Format.ARRAY:
            return document if isinstance(document, list) else []
        return [] if document is None else [document]


def _decode_cut(whole: bytes) -> Any:
    """As much as arrived of a document that was cut off; None for anything that is not the beginning of JSON."""
    try:
        return from_json(whole, allow_partial="trailing-strings")
    except ValueError:
        return None
