"""Generators and other iterators with a span over them, which the consumer's own spans never see."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Any, TypeVar

from otel_llm.production import Production
from otel_llm.work import Begun

T = TypeVar("T")


class SpanStream(Generator[T, Any, Any]):
    """A generator, or any iterator, with a span over it."""

    def __init__(self, source: Any, begun: Begun) -> None:
        self._production = Production(self, source, begun)

    def __iter__(self) -> SpanStream[T]:
        return self

    def __next__(self) -> T:
        return self.send(None)

    def send(self, value: Any) -> T:
        """The next item, after ``value`` was sent to the producer."""
        production = self._production
        with production.step():
            source = production.source
            item: T = next(source) if value is None else source.send(value)
        production.produced(item)
        return item

    def throw(self, kind: Any, value: Any = None, trace_: TracebackType | None = None) -> T:
        """The next item, after an exception was raised where the producer waits."""
        production = self._production
        error = _exception(kind, value, trace_)
        with production.step():
            if not hasattr(production.source, "throw"):
                raise error
            item: T = production.source.throw(error)
        production.produced(item)
        return item

    def close(self) -> None:
        """Close the source; the span ends."""
        production = self._production
        with production.step():
            close = getattr(production.source, "close", None)
            if close is not None:
                close()
        production.closed()


class AsyncSpanStream(AsyncGenerator[T, Any]):
    """The same for asynchronous generators and iterators."""

    def __init__(self, source: Any, begun: Begun) -> None:
        self._production = Production(self, source, begun)

    def __aiter__(self) -> AsyncSpanStream[T]:
        return self

    async def __anext__(self) -> T:
        return await self.asend(None)

    async def asend(self, value: Any) -> T:
        """The next item, after ``value`` was sent to the producer."""
        production = self._production
        with production.step():
            source = production.source
            item: T = await (anext(source) if value is None else source.asend(value))
        production.produced(item)
        return item

    async def athrow(self, kind: Any, value: Any = None, trace_: TracebackType | None = None) -> T:
        """The next item, after an exception was raised where the producer waits."""
        production = self._production
        error = _exception(kind, value, trace_)
        with production.step():
            if not hasattr(production.source, "athrow"):
                raise error
            item: T = await production.source.athrow(error)
        production.produced(item)
        return item

    async def aclose(self) -> None:
        """Close the source; the span ends."""
        production = self._production
        with production.step():
            source = production.source
            close = getattr(source, "aclose", None) or getattr(source, "close", None)
            closing = None if close is None else close()
            if inspect.isawaitable(closing):
                await closing
        production.closed()


def _exception(kind: Any, value: Any, trace_: TracebackType | None) -> BaseException:
    """One exception of what ``throw`` may be called with; the form with three arguments is deprecated in Python itself."""
    if isinstance(kind, BaseException):
        error = kind
    elif isinstance(value, BaseException):
        error = value
    else:
        error = kind() if value is None else kind(value)
    return error if trace_ is None else error.with_traceback(trace_)
