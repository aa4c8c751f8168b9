"""Bytes in pieces to whole lines, and lines that are each a JSON document (NDJSON, JSON Lines) to events."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.framing_json import decode_event


class Lines:
    """Lines that end with LF, however their bytes are cut; each piece is looked at once."""

    __slots__ = ("_tail", "pending")

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        #: Bytes of a line whose end has not come.
        self.pending = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that became complete, without their ends."""
        first, *lines = data.split(b"\n")
        self._tail.append(first)
        if not lines:
            self.pending += len(first)
            return []
        lines.insert(0, b"".join(self._tail))
        self._tail = [lines.pop()]
        self.pending = len(self._tail[0])
        return lines


class LineReader:
    """One JSON document a line. Blank lines and CR LF are nothing; a line that is not JSON is counted and left out."""

    __slots__ = ("_lines", "skipped")

    def __init__(self) -> None:
        self._lines = Lines()
        self.skipped = 0

    @property
    def pending(self) -> int:
        return self._lines.pending

    def feed(self, data: bytes) -> list[Any]:
        events: list[Any] = []
        for line in self._lines.feed(data):
            if line := line.strip():
                try:
                    events.append(decode_event(line))
                except ValueError:
                    self.skipped += 1
        return events

    def end(self) -> list[Any]:
        """A last line needs no end."""
        return self.feed(b"\n")
