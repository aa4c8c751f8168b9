"""What a forked child process must do anew: locks and threads do not survive a fork, and the parent keeps what it had taken."""

from __future__ import annotations

import multiprocessing.util
import os
from typing import Protocol
from weakref import WeakSet, ref


class Forkable(Protocol):
    """Something with a worker thread."""

    def start_over(self) -> None:
        """Forget what was inherited. Called in the child, while it has a single thread."""

    def flush(self, timeout_s: float) -> bool:
        """Deliver what is pending."""


#: Seconds that a child of multiprocessing may take to deliver its last spans. It exits without running ``atexit`` functions.
_CHILD_EXIT_S = 2.0
_known: WeakSet[Forkable] = WeakSet()


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


def _start_over() -> None:
    for forkable in list(_known):
        forkable.start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)
