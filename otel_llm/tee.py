"""Response streams that show each piece to a call on its way to the reader; the bytes are untouched."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, Protocol


class Reader(Protocol):
    """What watches a stream. None of its methods raises."""

    def received(self, piece: bytes) -> None:
        """A piece has arrived."""

    def ended(self) -> None:
        """The stream has ended regularly."""

    def failed(self, error: BaseException) -> None:
        """Reading has raised."""

    def closed(self) -> None:
        """The stream was closed or dropped, maybe before its end."""


class AsyncPieces:
    """An iterator rather than a generator: one that is dropped half-way leaves nothing for the event loop to finalise."""

    __slots__ = ("_inner", "_reader")

    def __init__(self, inner: AsyncIterator[bytes], reader: Reader) -> None:
        self._inner = inner
        self._reader = reader

    def __aiter__(self) -> AsyncPieces:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._inner.__anext__()
        except StopAsyncIteration:
            self._reader.ended()
            raise
        except BaseException as error:
            self._reader.failed(error)
            raise
        self._reader.received(piece)
        return piece


def _pieces(inner: Iterator[bytes], reader: Reader) -> Iterator[bytes]:
    try:
        for piece in inner:
            reader.received(piece)
            yield piece
    except GeneratorExit:
        reader.closed()
        raise
    except BaseException as error:
        reader.failed(error)
        raise
    reader.ended()


@functools.lru_cache(maxsize=8)
def tee_types(library: ModuleType) -> tuple[type[Any], type[Any]]:
    """The sync and the async tee for ``httpx`` or ``httpx2``: each must subclass the stream type of its own library."""

    class SyncTee(library.SyncByteStream):  # type: ignore[misc,name-defined]  # the library is known at run time only
        def __init__(self, inner: Any, reader: Reader) -> None:
            self._inner = inner
            self._reader = reader

        def __iter__(self) -> Iterator[bytes]:
            return _pieces(iter(self._inner), self._reader)

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._reader.closed()

        def __del__(self) -> None:
            self._reader.closed()

    class AsyncTee(library.AsyncByteStream):  # type: ignore[misc,name-defined]  # as above
        def __init__(self, inner: Any, reader: Reader) -> None:
            self._inner = inner
            self._reader = reader

        def __aiter__(self) -> AsyncPieces:
            return AsyncPieces(aiter(self._inner), self._reader)

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._reader.closed()

        def __del__(self) -> None:
            self._reader.closed()

    return SyncTee, AsyncTee
