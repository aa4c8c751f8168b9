"""One way to post, whatever the library and whether it is sync or async: the matrix that recording is tested over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Caller:
    """Posts JSON through one library, sync or async."""

    library: ModuleType
    is_async: bool

    def post(self, url: str, body: Any, *, stream: bool = False, transport: Any = None, **options: Any) -> bytes:
        """The bytes that the caller read of the answer, raw where it is streamed."""
        if self.is_async:
            return asyncio.run(self._post_async(url, body, stream, transport, options))
        with self.library.Client(transport=transport) as client:
            if not stream:
                return bytes(client.post(url, **_content(body), **options).content)
            with client.stream("POST", url, **_content(body), **options) as response:
                return b"".join(response.iter_bytes())

    async def _post_async(self, url: str, body: Any, stream: bool, transport: Any, options: dict[str, Any]) -> bytes:
        async with self.library.AsyncClient(transport=transport) as client:
            if not stream:
                return bytes((await client.post(url, **_content(body), **options)).content)
            async with client.stream("POST", url, **_content(body), **options) as response:
                return b"".join([piece async for piece in response.aiter_bytes()])

    def answering(
        self,
        pieces: list[bytes] | Callable[[], Iterator[bytes]],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """A transport that answers every request with these pieces, or fails as their iterator does."""
        make = pieces if callable(pieces) else lambda: iter(pieces)

        class Sync(self.library.SyncByteStream):  # type: ignore[misc,name-defined]
            def __iter__(self) -> Iterator[bytes]:
                yield from make()

        class Async(self.library.AsyncByteStream):  # type: ignore[misc,name-defined]
            async def __aiter__(self) -> AsyncIterator[bytes]:
                for piece in make():
                    yield piece

        def answer(_: Any) -> Any:
            return self.library.Response(status, headers=headers, stream=Async() if self.is_async else Sync())

        return self.library.MockTransport(answer)

    def raising(self, error: BaseException) -> Any:
        """A transport that fails before any answer."""

        def answer(_: Any) -> Any:
            raise error

        return self.library.MockTransport(answer)


def _content(body: Any) -> dict[str, Any]:
    return {"content": body} if isinstance(body, bytes) else {"json": body}
