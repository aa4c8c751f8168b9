"""A span over a stream that exists already."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable, Iterator, Mapping
from typing import Any, TypeVar, overload

from otel_llm import semconv as sc
from otel_llm.streams import AsyncSpanStream, SpanStream
from otel_llm.work import Work

T = TypeVar("T")


@overload
def stream(
    source: AsyncIterable[T],
    *,
    name: str,
    input: object = None,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> AsyncGenerator[T, Any]: ...


@overload
def stream(
    source: Iterable[T],
    *,
    name: str,
    input: object = None,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Generator[T, Any, Any]: ...


def stream(
    source: AsyncIterable[T] | Iterable[T],
    *,
    name: str,
    input: object = None,  # noqa: A002  (what observations call it)
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> AsyncGenerator[T, Any] | Generator[T, Any, Any]:
    """``source``, an asynchronous or plain generator or iterator, with a span ``task <name>`` over what its producer does.

    The span is below the one that is current now, and current only while the producer runs: spans of the consumer are none of its
    own, whatever task or thread consumes it. It ends once: with the source; with what the source raises; or, where the consumer stops
    early, closes or drops it, as abandoned. Where content capture is on, ``input`` is recorded, and the text of the stream as output.

    Raises TypeError if ``source`` is neither.
    """
    identity = {"user_id": user_id, "session_id": session_id, "tags": tags, "metadata": metadata}
    work = Work(sc.TASK, name, identity=identity)
    items = _iterator(source)
    begun = work.begin()
    begun.record_input(input)
    return AsyncSpanStream(items, begun) if isinstance(items, AsyncIterator) else SpanStream(items, begun)


def _iterator(source: Any) -> AsyncIterator[Any] | Iterator[Any]:
    if isinstance(source, AsyncIterable):
        return aiter(source)
    if isinstance(source, Iterable):
        return iter(source)
    raise TypeError(f"{type(source).__name__} is no generator and no iterator; call the function that makes one")
