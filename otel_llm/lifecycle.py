"""The end of a process: what has ended is stored, and delivered as far as time allows, however the process goes.

``atexit`` does it for processes that end by themselves; ``configure()`` registers it. A signal that kills does not run ``atexit``, and
servers such as uvicorn end by one: hence :func:`lifespan`, and :func:`shutdown_on_signals` for everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import FrameType
from typing import Any

from otel_llm.configuration import deliveries, shutdown

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

#: Seconds beyond the deadline of a shutdown, for its threads.
_SLACK_S = 0.5
_KILLERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def lifespan(inner: Lifespan | None = None, *, timeout_s: float = 5.0) -> Lifespan:
    """A lifespan for ASGI applications: ``FastAPI(lifespan=otel_llm.lifespan())``, or around one of your own.

    After the application's own clean-up, background tasks get their time to end and are then cancelled, and what has ended is
    delivered or stored: in at most ``timeout_s`` seconds, on a thread, so that the event loop goes on.
    """

    @asynccontextmanager
    async def around(app: Any) -> AsyncIterator[Any]:
        try:
            if inner is None:
                yield None
            else:
                async with inner(app) as state:
                    yield state
        finally:
            await asyncio.to_thread(shutdown, timeout_s)

    return around


def shutdown_on_signals(signals: Iterable[signal.Signals] = _KILLERS, *, timeout_s: float = 5.0) -> None:
    """When one of ``signals`` arrives, lose nothing that has ended, in at most about ``timeout_s`` seconds; then go on as without this.

    Where nothing handles the signal, what has ended is delivered or stored, and the process ends by the signal, as its parent expects.
    Where a handler is there already, it may let the process work on for a while: then what has ended is stored, and the handler
    called; the rest is done when the process exits. A signal that is ignored stays so.

    For the main thread alone. A framework that sets handlers of its own later replaces this one: call it after the framework has, or
    use :func:`lifespan`. Raises ValueError if called on another thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("signal handlers can be set on the main thread only")
    for number in signals:
        previous = signal.getsignal(number)
        if previous != signal.SIG_IGN:
            signal.signal(number, _then(previous, timeout_s))


def _then(previous: Any, timeout_s: float) -> Callable[[int, FrameType | None], None]:
    def handle(received: int, frame: FrameType | None) -> None:
        if callable(previous):
            _in_time(_store, timeout_s)
            previous(received, frame)
            return
        _in_time(shutdown, timeout_s)
        signal.signal(received, signal.SIG_DFL)
        os.kill(os.getpid(), received)

    return handle


def _in_time(work: Callable[[float], object], timeout_s: float) -> None:
    """On a thread: the signal may have interrupted the main thread while that holds a lock which ``work`` needs."""
    thread = threading.Thread(target=work, args=(timeout_s,), name="otel-llm-signal", daemon=True)
    with contextlib.suppress(RuntimeError):  # the interpreter is going down, and atexit has done it
        thread.start()
        thread.join(timeout_s + _SLACK_S)


def _store(timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    waiting = [*deliveries().values()]
    for delivery in waiting:
        delivery.hurry()
    for delivery in waiting:
        delivery.store(deadline - time.monotonic())
