"""An ASGI application: each request makes a span; the lifespan delivers what is left."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from load import Load
from wiring import wire

from otel_llm.lifecycle import lifespan

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Application:
    """What a framework does with a lifespan, and an answer to any request."""

    def __init__(self) -> None:
        self._load: Load | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._load is not None
        self._load.make(1)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with lifespan()(self):
            self._load = Load(wire().provider, Path(os.environ["FAULTS_IDS"]))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


application = Application()
