"""Whether files are still those that were opened."""

from __future__ import annotations

import os

from otel_llm.delivery.spool.place import SpoolPlace


class Identity:
    """Of a database that was just opened, and of its write-ahead log. Raises OSError if the database is gone already."""

    def __init__(self, place: SpoolPlace) -> None:
        self._place = place
        self._database, self._log = os.stat(place.file), self._found("-wal")

    def is_in_place(self) -> bool:
        """Whether the database is still where it was: somebody may have removed it, or set it aside."""
        found = self._found("")
        return found is not None and os.path.samestat(self._database, found)

    def has_log(self) -> bool:
        """Whether the log is. SQLite itself removes it when the last connection is closed, and not before."""
        if self._log is None:
            return True
        found = self._found("-wal")
        return found is not None and os.path.samestat(self._log, found)

    def _found(self, suffix: str) -> os.stat_result | None:
        try:
            return os.stat(f"{self._place.file}{suffix}")
        except OSError:
            return None
