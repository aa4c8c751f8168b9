"""Whether the writer of a row is still there to make its records."""

from __future__ import annotations

import contextlib
from typing import Final

from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.process_lock import ProcessLock

#: Seconds between two looks whether the file is still there.
_LOOK_S: Final = 1.0


class Presence:
    """Tells other processes that ``writer`` is alive, from the first :meth:`announce` to the end of its process."""

    def __init__(self, place: SpoolPlace, writer: str) -> None:
        self._path = place.presence(writer)
        self._lock = ProcessLock(self._path)
        self._look_at_s = 0.0

    def announce(self, now_s: float) -> None:
        """Say so, once, and again within a second if somebody has removed the file. Raises OSError."""
        if self._lock.held and now_s < self._look_at_s:
            return
        self._look_at_s = now_s + _LOOK_S
        self._lock.check()
        self._lock.acquire()

    def end(self) -> None:
        """What this writer has left is for others."""
        if self._lock.held:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._lock.release()

    def abandon(self) -> None:
        """Let go in a forked child of what belongs to the parent."""
        self._lock.release()


def is_present(place: SpoolPlace, writer: str) -> bool:
    """Whether ``writer`` is alive. What a process that was killed has left of its presence is removed. Raises OSError."""
    path = place.presence(writer)
    if not path.exists():
        return False
    lock = ProcessLock(path)
    if not lock.acquire():
        return True
    with contextlib.suppress(OSError):
        path.unlink()
    lock.release()
    return False
