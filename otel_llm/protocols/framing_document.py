"""A JSON document in pieces, which may turn out to be one document a line."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.framing_json import decode_cut, decode_json

#: Where the end of the first line may be.
_NOT_YET: Final = -1
_SETTLED: Final = -2


class DocumentReader:
    """Bytes that are kept until the document's end."""

    __slots__ = ("_first_line", "_pieces", "pending", "skipped")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._first_line = _NOT_YET
        #: Bytes kept.
        self.pending = 0
        self.skipped = 0

    def keep(self, data: bytes) -> None:
        self._pieces.append(data)
        self.pending += len(data)

    def has_lines(self, data: bytes) -> bool:
        """Keep the bytes; whether they prove that there is one document a line: a first line that is an object, and more behind it.

        Lines are only looked for until the first one has decided, and no byte is looked at twice before that.
        """
        start = self.pending
        self.keep(data)
        if self._first_line == _SETTLED:
            return False
        if self._first_line == _NOT_YET:
            found = data.find(b"\n")
            if found < 0:
                return False
            self._first_line = start + found
            data = data[found:]
        if not data.strip():
            return False
        end, self._first_line = self._first_line, _SETTLED
        return _is_object(b"".join(self._pieces)[:end])

    def take(self) -> bytes:
        """All that was kept; after that, nothing is."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self.pending = 0
        return whole

    def end(self) -> list[Any]:
        """The document, or as much of it as arrived."""
        whole = self.take()
        if not whole.strip():
            return []
        try:
            document = decode_json(whole)
        except ValueError:
            self.skipped += 1
            document = decode_cut(whole)
        return [] if document is None else [document]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(decode_json(line), dict)
    except ValueError:
        return False
