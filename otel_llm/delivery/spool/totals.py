"""What became of one process's spans on disk, whichever files they were in."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from otel_llm.delivery.spool.disk import DiskSpool


@dataclass(slots=True)
class Totals:
    """Counts of this process's spans."""

    #: Written by this process.
    written: int = 0
    #: Of these, those that waited when last looked, and those written since: at most so many wait.
    waiting: int = 0
    #: At most so many were in files that were damaged.
    destroyed: int = 0
    #: Were in a file that was removed, and that could not be written anew before the end.
    removed: int = 0
    #: Losses told by files that are closed by now, or that have forgotten them.
    earlier: dict[str, int] = field(default_factory=dict)
    #: Losses as the file in use told them last.
    latest: dict[str, int] = field(default_factory=dict)

    def told(self, losses: Mapping[str, int]) -> None:
        """The file in use tells these losses. Where it tells fewer than before, it has forgotten the former."""
        for reason, spans in self.latest.items():
            if losses.get(reason, 0) < spans:
                self.earlier[reason] = self.earlier.get(reason, 0) + spans
        self.latest = dict(losses)

    def remember(self, disk: DiskSpool | None) -> None:
        """A file is used no more; None: nothing can be read from it."""
        if disk is not None:
            with contextlib.suppress(sqlite3.Error):
                self.told(disk.losses())
        self.told({})

    @property
    def losses(self) -> dict[str, int]:
        """Spans that were not delivered, by reason; refused ones under ``dead``."""
        found = dict(self.earlier)
        for reason, spans in (*self.latest.items(), ("damaged", self.destroyed), ("removed", self.removed)):
            if spans:
                found[reason] = found.get(reason, 0) + spans
        return found
