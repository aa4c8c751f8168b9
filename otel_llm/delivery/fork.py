"""What a forked child process must do anew: locks and threads do not survive a fork, and the parent keeps what it had taken."""

from __future__ import annotations

import multiprocessing.util
import os
import threading
from typing import Protocol
from weakref import WeakSet, ref


class Forkable(Protocol):
    """Something with a worker thread."""

    def hold_still(self, timeout_s: float) -> bool:
        """Keep the threads out of libraries whose own locks would stay locked in the child; False if that takes too long."""

    def go_on(self) -> None:
        """Let the threads go on, in the parent, after :meth:`hold_still` was true."""

    def start_over(self) -> None:
        """Forget what was inherited. Called in the child, while it has a single thread."""

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is pending."""


#: Seconds that a child of multiprocessing may take to deliver its last spans. It exits without running ``atexit`` functions.
_CHILD_EXIT_S = 2.0
#: Seconds for which a fork is held up by threads that do not come out of the disk.
_STILL_S = 1.0
_known: WeakSet[Forkable] = WeakSet()
#: Held during a fork; reentrant, so that the child's only thread, which is the one that forked, may let go of it.
_forking = threading.RLock()
_still: list[Forkable] = []


def register(forkable: Forkable) -> None:
    """Have it start over in each forked child, and flush where the child is one of multiprocessing's and ends."""
    _known.add(forkable)
    multiprocessing.util.register_after_fork(forkable, _flush_at_exit)


def _flush_at_exit(forkable: Forkable) -> None:
    reference = ref(forkable)

    def flush() -> None:
        if (alive := reference()) is not None:
            alive.flush(_CHILD_EXIT_S)

    multiprocessing.util.Finalize(None, flush, exitpriority=0)


def _hold_still() -> None:
    _forking.acquire()
    _still.extend(forkable for forkable in list(_known) if forkable.hold_still(_STILL_S))


def _go_on() -> None:
    while _still:
        _still.pop().go_on()
    _forking.release()


def _start_over() -> None:
    _still.clear()
    _forking.release()
    for forkable in list(_known):
        forkable.start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_still, after_in_parent=_go_on, after_in_child=_start_over)
