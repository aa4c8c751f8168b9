"""A lock that its process holds for as long as it lives: whoever sends to a destination, or writes what another may have to end."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there is no lock that ends with its process and is inherited by nobody, so each process sends
    fcntl = None  # type: ignore[assignment]


class ProcessLock:
    """An advisory lock on a file, which the kernel releases however the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process has it."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Try to get it; False if another process has it. Raises OSError if the file cannot be opened."""
        if self._descriptor is not None:
            return True
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def check(self) -> None:
        """Let go of it if the file is no longer the one that was locked: somebody has removed the directory."""
        if self._descriptor is None:
            return
        try:
            same = os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except OSError:
            same = False
        if not same:
            self.release()

    def release(self) -> None:
        """Let another process have it. In a forked child this gives up the inherited descriptor; the parent keeps its lock."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None
