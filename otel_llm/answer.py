"""A response body on its way from bytes to facts: decoded, framed, folded, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otel_llm.decoding import Decode, decoder
from otel_llm.protocols import Fold, Protocol, ResponseFacts
from otel_llm.protocols.framing import Format, Framing


class Answer:
    """One response body being read. Never raises for what the body holds."""

    def __init__(self, protocol: Protocol, content_type: str, coding: str) -> None:
        self._protocol = protocol
        #: None: the rest of the body cannot be read.
        self._decode: Decode | None = decoder(coding)
        self._framing = Framing(content_type)
        self._fold: Fold | None = None
        self._document: Any = None
        self._broken = False

    @property
    def begun(self) -> bool:
        """The first chunk of a stream has arrived: an event, or the beginning of an array, whose elements are read at its end."""
        return self._fold is not None or self._framing.format is Format.ARRAY

    @property
    def done(self) -> bool:
        """The stream has said its last: the event that ends it regularly, or an error."""
        return self._fold is not None and (self._fold.done or self._broken)

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body as it came over the wire."""
        if self._decode is None:
            return
        try:
            data = self._decode(piece)
        except Exception:  # noqa: BLE001  (each coding has its own error; a body that cannot be decoded is not read further)
            self._decode = None
            return
        self._take(self._framing.feed(data))

    def facts(self) -> ResponseFacts:
        """The facts of the body, or of as much as has arrived."""
        self._take(self._framing.end())
        if self._fold is not None:
            return self._protocol.response(self._fold.body())
        return self._protocol.response(self._document)

    def _take(self, events: Sequence[Any]) -> None:
        if not events:
            return
        if not self._framing.streamed:
            self._document = events[0]
            return
        if self._fold is None:
            self._fold = self._protocol.fold()
        for event in events:
            self._fold.feed(event)
            self._broken = self._broken or (isinstance(event, dict) and bool(event.get("error")))
