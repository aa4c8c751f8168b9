"""The file that one delivery uses: opened when it is needed, and again after all that can happen to a disk."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from typing import Final, TypeVar

from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool.disk import DiskSpool, SpoolFullError
from otel_llm.delivery.spool.file import SpoolFileError, is_damage, set_aside
from otel_llm.delivery.spool.place import SpoolPlace
from otel_llm.delivery.spool.removed import Removed
from otel_llm.delivery.spool.totals import Totals
from otel_llm.private_files import UnsafePlaceError

_logger = logging.getLogger(__name__)

#: Seconds until a disk that failed is tried again; doubled up to the second figure.
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 30.0
#: Seconds until something is written again to a file that another process had locked.
_LOCKED_S: Final = 0.25
#: Seconds for which it may be locked before that is worth a line.
_LOCKED_LONG_S: Final = 5.0
#: Seconds until it is tried again to move what a new file did not take.
_MOVE_AGAIN_S: Final = 1.0
#: Seconds between two looks whether the file is still there.
_LOOK_S: Final = 0.1

T = TypeVar("T")


class FileInUse:
    """What cannot be done now gives None, is logged, and is tried again later.

    What waits in a file that somebody has removed is moved into a new one; as long as there can be none, the removed one stays in use.
    ``opening`` opens the file. Not safe for several threads: its owner sees to that.
    """

    def __init__(
        self,
        name: str,
        place: SpoolPlace,
        opening: Callable[[], DiskSpool],
        *,
        totals: Totals,
        log_limit: LogLimit,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._place = place
        self._opening = opening
        self._totals = totals
        self._log_limit = log_limit
        self._clock = clock
        self.disk: DiskSpool | None = None
        #: The file in use was removed, and there can be no other now: each process sends what it wrote itself.
        self.is_removed = False
        self._removed = Removed()
        self._given_up = False
        self._retry_at = 0.0
        self._retry_s = _FIRST_RETRY_S
        #: Nothing is written before: another process had the file locked.
        self._locked_until = 0.0
        self._locked_since: float | None = None
        self._look_at = self._move_at = 0.0

    def tried(self, use: Callable[[DiskSpool], T], *, changes: bool = False) -> T | None:
        """What ``use`` gives, or None if that is not possible now. ``changes``: it writes, so it has to wait for other processes."""
        disk = self.opened()
        if disk is None or (changes and self._clock() < self._locked_until):
            return None
        try:
            found = use(disk)
        except Exception as error:  # noqa: BLE001  (out of memory, a text that is no text: whatever it is, the application goes on)
            self.failed(error)
            return None
        if changes:
            self._locked_since = None
        return found

    def opened(self) -> DiskSpool | None:
        """What is written to a file that has been removed is not lost as long as that is open: it is enough to look now and then."""
        if self.disk is not None and self._clock() >= self._look_at:
            self._look()
        if self.disk is None and not self._given_up and self._clock() >= self._retry_at:
            self._open()
            self._move()
        return self.disk

    def waiting(self, through: Callable[[DiskSpool], int | None] = lambda _: None) -> int | None:
        """Number of this process's spans on disk, up to a row of the file in use; None if that cannot be told now."""
        found = self.tried(lambda disk: disk.waiting(through(disk)))
        if self.disk is not None and not self.disk.is_current():
            self._look()  # another process may have been faster, and have moved them: then they only seem to be delivered
            found = self.tried(lambda disk: disk.waiting(through(disk)))
        return None if found is None else found + self._removed.waiting()

    def retry_now(self) -> None:
        """Try at once, the next time, what would have to wait after a fault."""
        self._retry_at = self._locked_until = self._look_at = self._move_at = 0.0
        self._retry_s = _FIRST_RETRY_S

    def failed(self, error: Exception) -> None:
        """Say so, and close what may be broken. A full or locked file stays open."""
        if isinstance(error, SpoolFullError):
            if self._log_limit.due("spool full"):
                _logger.warning("%s: the disk queue is full; spans wait in memory while there is room", self._name)
            return
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            self._locked(error)
            return
        self.tell(error)
        if is_damage(error) and self.disk is not None:
            self._replace_damaged(self.disk)
        elif code != sqlite3.SQLITE_FULL:
            self._let_go()
        self._try_again_later()

    def _try_again_later(self) -> None:
        self._retry_at = self._clock() + self._retry_s
        self._retry_s = min(self._retry_s * 2, _LAST_RETRY_S)

    def tell(self, error: Exception) -> None:
        """Say what happens to the disk, if a line is due."""
        if self._log_limit.due("spool"):
            _logger.warning(
                "%s: the disk queue at %s cannot be used now (%s); spans wait in memory meanwhile",
                self._name,
                self._place.directory,
                (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__,
            )

    def close(self) -> None:
        """Close the file for good, after a last try to move what is in one that was removed."""
        self.retry_now()
        if self.disk is not None or self._removed:
            self.opened()
        self._given_up = True
        waiting = self.waiting()
        if waiting is not None:
            self._totals.waiting = waiting
        lost = self._removed.waiting()
        if self.is_removed:
            lost += self.tried(lambda disk: disk.waiting()) or 0
        if lost:
            self._totals.removed += lost
            self._totals.waiting = max(0, self._totals.waiting - lost)
            _logger.warning(
                "%s: the disk queue was removed, and there could be no other; %d span(s) that were in it are lost",
                self._name,
                lost,
            )
        self._totals.remember(self.disk)
        self._removed.close()
        self._close()

    def abandon(self) -> tuple[DiskSpool, ...]:
        """In a forked child: files of the parent's, which must be kept and never be used."""
        found = self._removed.files if self.disk is None else (*self._removed.files, self.disk)
        self.disk, self._removed = None, Removed()
        return found

    def _locked(self, error: Exception) -> None:
        now = self._clock()
        self._locked_until = now + _LOCKED_S
        if self.disk is None:
            self._retry_at = self._locked_until
        if self._locked_since is None:
            self._locked_since = now
        elif now - self._locked_since >= _LOCKED_LONG_S:
            self.tell(error)

    def _open(self) -> None:
        try:
            self.disk = self._opening()
            self.is_removed = False
            self._retry_s = _FIRST_RETRY_S
        except (UnsafePlaceError, SpoolFileError) as error:
            self._given_up = True
            if self._log_limit.due("no disk queue"):
                _logger.warning("%s: there is no disk queue, spans wait in memory: %s", self._name, error)
        except Exception as error:  # noqa: BLE001  (as in tried)
            self.failed(error)

    def _look(self) -> None:
        """Whether the file is still there, and whether what is left of earlier ones can be moved now."""
        self._look_at = self._clock() + _LOOK_S
        disk = self.disk
        if disk is None:
            return
        if not disk.is_current():
            self._renew(disk)
            return
        self.is_removed = False
        if self._clock() >= self._move_at:
            self._move()

    def _renew(self, old: DiskSpool) -> None:
        """Somebody has removed the file. It stays in use until there is a new one: what is in it is lost when it is closed."""
        if old.is_in_place():
            with contextlib.suppress(sqlite3.Error, OSError):
                old.set_aside()
            if old.is_in_place():
                return
        self.is_removed = True
        if self._given_up or self._clock() < self._retry_at:
            return
        self.disk = None
        self._open()
        if self.disk is None:
            self.disk, self.is_removed = old, True
            if self._given_up:  # what waits in the old one is worth another try
                self._given_up = False
                self._try_again_later()
            return
        self._totals.remember(old)
        self._removed.add(old)
        self._move()

    def _move(self) -> None:
        new = self.disk
        if new is None or not self._removed:
            return
        try:
            moved = self._removed.move_to(new)
            if moved.lost:
                self._count_destroyed(new.waiting())
        except Exception as error:  # noqa: BLE001  (as in tried)
            self._move_at = self._clock() + _MOVE_AGAIN_S
            self.failed(error)
        else:
            _logger.warning("%s: the disk queue was removed; %d row(s) were written anew", self._name, moved.rows)

    def _replace_damaged(self, disk: DiskSpool) -> None:
        self._totals.remember(None)
        self._count_destroyed(0)
        self._close()
        if disk.is_in_place():
            with contextlib.suppress(OSError):
                set_aside(self._place.file, "was damaged")

    def _count_destroyed(self, left: int) -> None:
        """What waited before is gone, but for what is left, and in files that were removed."""
        left += self._removed.waiting()
        self._totals.destroyed += max(0, self._totals.waiting - left)
        self._totals.waiting = left

    def _let_go(self) -> None:
        """Close a file that could not be used; one that has been removed stays open until all of it is in a new one."""
        if self.disk is not None and not self.disk.is_current():
            self._renew(self.disk)
        else:
            self._close()

    def _close(self) -> None:
        disk, self.disk = self.disk, None
        if disk is not None:
            with contextlib.suppress(sqlite3.Error):
                disk.close()
