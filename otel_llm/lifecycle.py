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
from typing import Any, Final

from otel_llm.configuration import shutdown, store

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

#: Seconds beyond the deadline of a shutdown, for its threads.
_SLACK_S: Final = 0.5
_KILLERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
#: Modules that hold locks for moments which the threads that store and send need, too.
_LOCKING: Final = ("otel_llm.delivery.intake", "otel_llm.delivery.spool.", "logging")
#: Seconds after which a signal that came amid one of these is raised again, and for how long at most.
_AGAIN_S: Final = 0.005
_AGAIN_FOR_S: Final = 0.5


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
            await _on_a_thread(lambda: shutdown(timeout_s))

    return around


async def _on_a_thread(work: Callable[[], object]) -> None:
    """Not one of the loop's own, which the application may keep busy."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="otel-llm-lifespan", daemon=True).start()
    await done.wait()


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
    ending = _Ending(timeout_s)
    for number in signals:
        previous = signal.getsignal(number)
        if previous != signal.SIG_IGN:
            signal.signal(number, _then(previous, ending))


def _then(previous: Any, ending: _Ending) -> Callable[[int, FrameType | None], None]:
    def handle(received: int, frame: FrameType | None) -> None:
        if ending.comes_again(received, frame):
            return
        if callable(previous):
            ending.run(store)
            previous(received, frame)
            return
        ending.run(shutdown)
        signal.signal(received, signal.SIG_DFL)
        os.kill(os.getpid(), received)

    return handle


class _Ending:
    """What is done when a signal comes: on a thread, for the main thread may have been interrupted amid anything."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._put_off_at: float | None = None

    def run(self, work: Callable[[float], object]) -> None:
        """In the time of a shutdown. Another signal may interrupt this, and then waits for the same spans."""
        thread = threading.Thread(target=work, args=(self._timeout_s,), name="otel-llm-signal", daemon=True)
        with contextlib.suppress(RuntimeError):  # the interpreter is going down, and atexit has done it
            thread.start()
            thread.join(self._timeout_s + _SLACK_S)

    def comes_again(self, received: int, frame: FrameType | None) -> bool:
        """Whether the signal will be raised again in a moment, as the interrupted code holds a lock that our threads need."""
        now = time.monotonic()
        self._put_off_at = now if self._put_off_at is None else self._put_off_at
        if now - self._put_off_at > _AGAIN_FOR_S or not _is_within(frame, _LOCKING):
            self._put_off_at = None
            return False
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), received))
        again.daemon = True
        try:
            again.start()
        except RuntimeError:  # the interpreter is going down
            return False
        return True


def _is_within(frame: FrameType | None, modules: tuple[str, ...]) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith(modules):
            return True
        frame = frame.f_back
    return False
