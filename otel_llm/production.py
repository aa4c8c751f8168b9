"""The span of a stream: current only while the producer of the stream's items is running, and ended once, with its reason."""

from __future__ import annotations

import codecs
import weakref
from types import TracebackType
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.attachment import Attachment
from otel_llm.bounded_json import MAX_CHARS
from otel_llm.guard import guarded
from otel_llm.work import Begun

#: Characters that are kept; what tells of the rest takes a few more.
_ROOM: Final = MAX_CHARS - 64


class Production:
    """What produces the items of ``stream``, and its span.

    Where the producer makes a span current around a ``yield``, that is kept for its next step, and the consumer does not see it.
    """

    def __init__(self, stream: object, source: Any, begun: Begun) -> None:
        self.source = source
        self._begun = begun
        self._context = begun.context
        self._running = 0
        self._said = _Said()
        self._stream = weakref.ref(stream)
        self._end_once = weakref.finalize(stream, self._dropped)

    def step(self) -> _Step:
        """A context manager around one step of the producer; what the step raises ends the span."""
        return _Step(self)

    @guarded
    def produced(self, item: object) -> None:
        """Note an item: of a stream of text, what it says is its output."""
        if self._begun.captures:
            self._said.add(item)

    def closed(self) -> None:
        """The consumer has closed the stream; if that is before its end, it has abandoned it."""
        self._end(ending=sc.ABANDONED)

    def entered(self) -> Attachment:
        """Make current what the producer left current."""
        self._running += 1
        return Attachment(self._context)

    def left(self, attachment: Attachment, error: BaseException | None) -> None:
        """The producer has yielded an item, or raised."""
        context = attachment.leave()
        if context is not None:
            self._context = context
        self._running -= 1
        if error is None or self._running:
            return  # a step beside another one is refused by the source; the other one goes on
        if isinstance(error, StopIteration | StopAsyncIteration):
            self._end(result=getattr(error, "value", None))
        else:
            self._end(error)

    def _end(self, error: BaseException | None = None, *, ending: str | None = None, result: object = None) -> None:
        if self._end_once.detach() is not None:
            self._finish(error, ending=ending, result=result)

    def _finish(self, error: BaseException | None = None, *, ending: str | None = None, result: object = None) -> None:
        self._begun.record_output(self._said.text() or result)
        self._begun.end(error, ending=ending)

    def _dropped(self) -> None:
        """Nobody holds the stream any more, or the process ends."""
        if self._stream() is None:
            with Attachment(self._context):
                self.source = None  # closes a generator, whose last work belongs here too
        self._finish(ending=sc.ABANDONED)


class _Step:
    """One step of a producer."""

    __slots__ = ("_attachment", "_production")

    def __init__(self, production: Production) -> None:
        self._production = production

    def __enter__(self) -> None:
        self._attachment = self._production.entered()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        self._production.left(self._attachment, error)


class _Said:
    """The text of a stream's items, as far as it is recorded; of other items nothing is kept."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._room = _ROOM
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, item: object) -> None:
        text = self._decoder.decode(item) if isinstance(item, bytes) else item
        if not isinstance(text, str) or not text:
            return
        if self._room > 0:
            self._pieces.append(text[: self._room])
        self._room -= len(text)

    def text(self) -> str:
        rest = f" [... {-self._room} characters left out]" if self._room < 0 else ""
        return "".join(self._pieces) + rest
