"""Server-sent events: bytes in pieces to the data of each event.

Lines may end with LF, CR or CR LF, and fields may come in any order (https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.framing_json import decode_event
from otel_llm.protocols.framing_lines import Lines


class EventReader:
    """An event stream. Events that are not JSON are counted and left out, but for ``DONE`` and whatever is called an error."""

    __slots__ = ("_after_cr", "_data", "_data_size", "_event", "_lines", "skipped")

    def __init__(self) -> None:
        self._lines = Lines()
        self._after_cr = False
        self._data: list[bytes] = []
        self._data_size = 0
        self._event = b""
        self.skipped = 0

    @property
    def pending(self) -> int:
        """Bytes that wait for the end of their line or event."""
        return self._lines.pending + self._data_size

    def feed(self, data: bytes) -> list[Any]:
        if self._after_cr and data[:1] == b"\n":  # CR LF, cut in two
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = self._lines.feed(data)
        return self._read_fields(lines) if lines else []

    def end(self) -> list[Any]:
        """A last event needs no blank line."""
        return self.feed(b"\n\n")

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
                    self._decode(events)
                self._event = b""
        return events

    def _decode(self, events: list[Any]) -> None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._data_size = 0
        is_error = self._event == b"error"
        try:
            event = decode_event(data)
        except ValueError:
            stripped = data.strip()
            if not is_error:
                self.skipped += bool(stripped)
                return
            event = stripped.decode("utf-8", "replace")
        if is_error and not (isinstance(event, dict) and "error" in event):
            event = {"error": event}
        events.append(event)
