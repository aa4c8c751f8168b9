"""The background tasks of this process: kept until they end, told of if they fail, and ended with the process."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import threading
import time
import traceback
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias, TypeVar

from otel_llm.failure import error_type

T = TypeVar("T")
Task: TypeAlias = asyncio.Task[T]

_logger = logging.getLogger(__name__)
#: Part of the time for the end of all tasks that they have to end by themselves; the rest is for what they do once cancelled.
_UNDISTURBED: Final = 5 / 6


class RunningTasks:
    """Tasks of any event loop. The lock is reentrant, since a signal may interrupt what is done under it and ask for the end."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop all of them, without a word: in a forked child, since they run in its parent, where also the lock may be held."""
        #: Each task, and whether it is a worker.
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        self._changed = threading.Condition(threading.RLock())

    def __contains__(self, task: object) -> bool:
        return task in self._tasks

    def start(
        self, coro: Coroutine[Any, Any, T], name: str | None, context: contextvars.Context, *, is_worker: bool = False
    ) -> Task[T]:
        """Start a task in ``context`` on the running loop, and keep it until it ends."""
        task = asyncio.get_running_loop().create_task(coro, name=name, context=context)
        with self._changed:
            self._tasks[task] = is_worker
        # A context of its own: what asyncio runs for us later must not keep the application's alive, nor log in its name.
        task.add_done_callback(self._ended, context=contextvars.Context())
        return task

    def end_all(self, timeout_s: float) -> None:
        """Wait for spawned tasks, then cancel those that are left, and workers, and wait for them: ``timeout_s`` seconds in all.

        For tasks of the event loop that this is called on nobody can wait; they are cancelled when it goes on.
        """
        started, here = time.monotonic(), _loop_here()
        self._cancel_unserved(here)
        self._wait(here, _UNDISTURBED * timeout_s, with_workers=False)
        left = self._elsewhere(here, with_workers=False)
        if left:
            names = ", ".join(sorted(task.get_name() for task in left))
            _logger.warning("%d background task(s) did not end in time and are cancelled: %s", len(left), names)
        _cancel(self._elsewhere(here))
        self._wait(here, timeout_s - (time.monotonic() - started))

    def _cancel_unserved(self, here: asyncio.AbstractEventLoop | None) -> None:
        """Cancel what runs on the loop ``here``, which stands still until this returns."""
        unserved = {task: is_worker for task, is_worker in list(self._tasks.items()) if task.get_loop() is here}
        if not all(unserved.values()):
            _logger.warning(
                "otel_llm.shutdown() was called on the event loop that background tasks run on; they are cancelled, and what they "
                "still record is lost. Call it as `await asyncio.to_thread(otel_llm.shutdown)`, or use otel_llm.lifecycle.lifespan()"
            )
        _cancel(unserved)

    def _wait(self, here: object, timeout_s: float, *, with_workers: bool = True) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._elsewhere(here, with_workers=with_workers), max(0.0, timeout_s))

    def _elsewhere(self, here: object, *, with_workers: bool = True) -> list[asyncio.Task[Any]]:
        """Tasks of loops that run in other threads."""
        return [
            task
            for task, is_worker in list(self._tasks.items())
            if task.get_loop() is not here and task.get_loop().is_running() and (with_workers or not is_worker)
        ]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        with self._changed:
            self._tasks.pop(task, None)
            self._changed.notify_all()
        if _is_unseen(task):  # whoever waits for it is told in this turn of the loop
            task.get_loop().call_soon(_tell_failure, task, context=contextvars.Context())


def _is_unseen(task: asyncio.Task[Any]) -> bool:
    """Whether the task has failed and nobody has asked for it; by the mark after which asyncio logs the exception, message and all."""
    return not task.cancelled() and bool(getattr(task, "_log_traceback", False))


def _tell_failure(task: asyncio.Task[Any]) -> None:
    """Log what failed and where; the message of an exception may quote a prompt. Asking for it keeps asyncio from logging it."""
    error = task.exception() if _is_unseen(task) else None
    if error is None:
        return
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    _logger.error("The background task %s failed, and nobody waits for it: %s at %s", task.get_name(), error_type(error), place)


def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        with suppress(RuntimeError):  # its loop has been closed meanwhile
            task.get_loop().call_soon_threadsafe(task.cancel)


def _loop_here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


running_tasks: Final = RunningTasks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=running_tasks.forget)
