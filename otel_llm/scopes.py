"""A span around a block, or around each call of a function."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.trace import Span

from otel_llm.attachment import Attachment
from otel_llm.decorating import decorated
from otel_llm.work import Begun, Work

F = TypeVar("F", bound=Callable[..., Any])


class SpanScope(AbstractContextManager[Span]):
    """A span around a block (``with`` and ``async with``), or around each call of a function or generator (as a decorator).

    It may serve any number of times, also at once: each block and each call is a span of its own.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._open: list[tuple[Begun, Attachment]] = []

    def __enter__(self) -> Span:
        begun = self._work.begin()
        self._open.append((begun, Attachment(begun.context)))
        return begun.span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        innermost = self._innermost()
        self._open.remove(innermost)
        begun, attachment = innermost
        attachment.leave()
        begun.end(error)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace_)

    def __call__(self, function: F) -> F:
        """``function`` with a span around each call; around what a generator does, for generator functions.

        What it is called with and returns is recorded where content capture is on.
        """
        return decorated(function, self._work.done_by(function))

    def record_input(self, value: object) -> None:
        """Say what the block was given, as text or JSON; recorded where content capture is on. For use inside the block."""
        if self._open:
            self._innermost()[0].record_input(value)

    def record_output(self, value: object) -> None:
        """Say what the block came to, likewise."""
        if self._open:
            self._innermost()[0].record_output(value)

    def _innermost(self) -> tuple[Begun, Attachment]:
        """Which of the open blocks is the one here: tasks may have entered and left in any order."""
        current = otel_context.get_current()
        blocks = list(self._open)
        return next((block for block in blocks if block[0].context is current), blocks[-1])
