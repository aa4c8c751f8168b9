"""The third seam: ``aiohttp.ClientSession._request``, for clients that use aiohttp by themselves (google-genai's async client does).

A client of httpx on an aiohttp transport is recorded at its own seam; here it is seen to be recorded already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

import wrapt
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_llm import call as recording
from otel_llm.call import Call
from otel_llm.emit import Emitter
from otel_llm.endpoints import recognise
from otel_llm.guard import guarded
from otel_llm.sending import send_async
from otel_llm.tee import Reader

Send = Callable[..., Any]


def around_request(_library: ModuleType, emitter: Callable[[], Emitter | None]) -> Send:
    """What to wrap around ``ClientSession._request``; ``emitter`` gives None where nothing is to be recorded."""

    async def request(wrapped: Send, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _start(emitter(), instance, args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        response = await send_async(call, wrapped(*args, **kwargs))
        if not _follow(call, instance, response):
            call.closed()
        return response

    return request


@guarded
def _start(emitter: Emitter | None, session: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    if emitter is None or not is_instrumentation_enabled():
        return None
    method, url = args[0], session._build_url(args[1])
    endpoint = recognise(method.upper(), url.host or "", url.path, url.explicit_port)
    if endpoint is None:
        return None
    retried = dict(kwargs.get("headers") or {}).get("x-stainless-retry-count")
    return recording.begin(
        emitter, endpoint, content=_content(session, kwargs), host=url.host, port=url.port, path=url.path, retried=retried
    )


def _content(session: Any, kwargs: dict[str, Any]) -> bytes | None:
    """The request's body as far as it is at hand: JSON, text or bytes."""
    data = kwargs.get("data")
    if kwargs.get("json") is not None:
        data = session.json_serialize(kwargs["json"])
    if isinstance(data, str):
        return data.encode("utf-8", "replace")
    return bytes(data) if isinstance(data, bytes | bytearray) else None


@guarded
def _follow(call: Call, session: Any, response: Any) -> bool:
    headers = response.headers
    coding = "" if session.auto_decompress else headers.get("content-encoding", "")
    call.answered(response.status, headers.get("content-type", ""), coding, response.raw_headers)
    response.content = TeedReader(response.content, call)
    return True


class _Readings:
    """Reads until there is nothing more, as aiohttp's own iterators do."""

    def __init__(self, read: Callable[[], Awaitable[Any]], nothing: object) -> None:
        self._read = read
        self._nothing = nothing

    def __aiter__(self) -> _Readings:
        return self

    async def __anext__(self) -> Any:
        data = await self._read()
        if data == self._nothing:
            raise StopAsyncIteration
        return data


class TeedReader(wrapt.ObjectProxy):  # type: ignore[type-arg]  # of a StreamReader, whose library may not be installed
    """A response's ``content`` that shows each piece to a call; all ways of reading it end in one of these methods."""

    def __init__(self, inner: Any, reader: Reader) -> None:
        super().__init__(inner)
        self._self_reader = reader

    async def _shown(self, reading: Awaitable[Any]) -> Any:
        try:
            data = await reading
        except BaseException as error:
            self._self_reader.failed(error)
            raise
        self._show(data[0] if isinstance(data, tuple) else data)
        return data

    def _show(self, piece: bytes) -> None:
        if piece:
            self._self_reader.received(piece)
        if self.__wrapped__.at_eof():
            self._self_reader.ended()

    async def read(self, n: int = -1) -> Any:
        return await self._shown(self.__wrapped__.read(n))

    async def readany(self) -> Any:
        return await self._shown(self.__wrapped__.readany())

    async def readchunk(self) -> Any:
        return await self._shown(self.__wrapped__.readchunk())

    async def readline(self, *args: Any, **kwargs: Any) -> Any:
        return await self._shown(self.__wrapped__.readline(*args, **kwargs))

    async def readuntil(self, *args: Any, **kwargs: Any) -> Any:
        return await self._shown(self.__wrapped__.readuntil(*args, **kwargs))

    async def readexactly(self, n: int) -> Any:
        return await self._shown(self.__wrapped__.readexactly(n))

    def read_nowait(self, n: int = -1) -> Any:
        data = self.__wrapped__.read_nowait(n)
        self._show(data)
        return data

    def __aiter__(self) -> _Readings:
        return _Readings(self.readline, b"")

    def iter_any(self) -> _Readings:
        return _Readings(self.readany, b"")

    def iter_chunked(self, n: int) -> _Readings:
        return _Readings(lambda: self.read(n), b"")

    def iter_chunks(self) -> _Readings:
        return _Readings(self.readchunk, (b"", False))

    def __del__(self) -> None:
        self._self_reader.closed()
