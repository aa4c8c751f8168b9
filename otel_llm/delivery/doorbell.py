"""How other threads wake a worker."""

from __future__ import annotations

from queue import Empty, SimpleQueue

#: Longest single wait in seconds; platforms limit it. A worker that wakes early looks and waits on.
_LONGEST_WAIT_S = 3_600.0


class Doorbell:
    """Wakes one waiting thread.

    May be rung inside a finaliser or a signal handler, also in the waiting thread itself: :meth:`queue.SimpleQueue.put` is
    reentrant, which :class:`threading.Event` is not. A span can end in either place.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake the waiting thread, or the next one to wait. Never blocks."""
        self._rings.put(None)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for a ring, at most ``timeout_s`` seconds (None: long). True if it rang; rings do not add up."""
        try:
            self._rings.get(timeout=_LONGEST_WAIT_S if timeout_s is None else min(max(timeout_s, 0.0), _LONGEST_WAIT_S))
            while not self._rings.empty():
                self._rings.get_nowait()
        except Empty:
            return False
        return True
