"""HTTP clients, shared by all calls of an event loop to one service with one key, and closed once idle or with the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from typing import Final, TypeAlias

import httpx

#: Seconds without a call after which a client is closed.
IDLE_S: Final = 60.0
#: Connections of one client. More calls than that wait, within their deadline, and not in the HTTP library's own queue, which is
#: searched from end to end whenever a request begins or ends.
MAX_CONNECTIONS: Final = 100

#: Base URL and key.
Place: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Shared:
    client: httpx.AsyncClient
    free: asyncio.Semaphore
    users: int = 0
    closing: asyncio.TimerHandle | None = None


class _Clients:
    """The clients of one event loop."""

    def __init__(self) -> None:
        self.shared: dict[Place, _Shared] = {}
        self._loop = asyncio.get_running_loop()
        self._closings = set[asyncio.Task[None]]()
        self._until_shutdown = self._live()

    async def begin(self) -> None:
        """From now on, whoever ends the loop regularly (``asyncio.run``, servers) closes the clients too."""
        await anext(self._until_shutdown)

    async def _live(self) -> AsyncGenerator[None]:
        """An asynchronous generator that has begun is closed with its loop, without a task that anybody would have to wait for."""
        try:
            yield
        finally:
            _by_loop.pop(self._loop, None)
            for shared in self.shared.values():
                if shared.closing is not None:
                    shared.closing.cancel()
                await shared.client.aclose()
            self.shared.clear()

    def take(self, place: Place) -> _Shared:
        shared = self.shared.get(place)
        if shared is None:
            limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20, keepalive_expiry=30.0)
            shared = _Shared(httpx.AsyncClient(limits=limits), asyncio.Semaphore(MAX_CONNECTIONS))
            self.shared[place] = shared
        shared.users += 1
        if shared.closing is not None:
            shared.closing.cancel()
            shared.closing = None
        return shared

    def give_back(self, place: Place) -> None:
        shared = self.shared.get(place)
        if shared is None:  # the loop is ending
            return
        shared.users -= 1
        if not shared.users and not self._loop.is_closed():
            # In a context of its own: the timer is nobody's work.
            shared.closing = self._loop.call_later(IDLE_S, self.close_idle, place, context=Context())

    def close_idle(self, place: Place) -> None:
        shared = self.shared.get(place)
        if shared is not None and not shared.users:
            del self.shared[place]
            closing = self._loop.create_task(shared.client.aclose())
            self._closings.add(closing)
            closing.add_done_callback(self._closings.discard)


_by_loop: dict[asyncio.AbstractEventLoop, _Clients] = {}


@asynccontextmanager
async def shared_client(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """The client of this event loop for ``place``, for one request, once there is a connection for it."""
    clients = await _of_this_loop()
    shared = clients.take(place)
    try:
        async with shared.free:
            yield shared.client
    finally:
        clients.give_back(place)


async def _of_this_loop() -> _Clients:
    loop = asyncio.get_running_loop()
    clients = _by_loop.get(loop)
    if clients is None:
        for ended in [known for known in list(_by_loop) if known.is_closed()]:
            _by_loop.pop(ended, None)
        clients = _by_loop[loop] = _Clients()
        await clients.begin()
    return clients
