"""Whether spans can wait on disk, and what has become of those that did."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from otel_llm.delivery.spool.inspect import Inspector
from otel_llm.delivery.spool.place import SPOOL_VARIABLE, spool_place
from otel_llm.doctor.finding import Finding, Level
from otel_llm.errors import OtelLLMError

_WHERE = "disk queue"
_STATUS = "`otel-llm spool status` tells for whom and why"


def queue_findings() -> list[Finding]:
    """Where the disk queue is and what waits, or why there can be none. Nothing is created to find out.

    Destinations are not named: the name of what waits for one can hold a key.
    """
    place = spool_place()
    if place is None:
        return [
            Finding(
                Level.NOTE,
                _WHERE,
                "there is to be none: what is not delivered when a process ends is lost",
                f"Set {SPOOL_VARIABLE} to a local directory, if that is not meant",
            )
        ]
    inspector = Inspector(place)
    try:
        if place.check():
            inspector.check_writable()
        if not inspector.exists():
            return [Finding(Level.OK, _WHERE, f"nothing waits; it is begun with the first span, in {place.directory}")]
        return _contents(inspector, place.directory)
    except (OtelLLMError, sqlite3.Error, OSError) as error:
        return [Finding(Level.WARNING, _WHERE, str(error), "Until it can be used, spans wait in memory only")]


def _contents(inspector: Inspector, directory: Path) -> list[Finding]:
    rows = inspector.waiting()
    waiting, dead = sum(row.spans for row in rows), sum(row.dead for row in rows)
    lost = sum(loss.spans for loss in inspector.losses())
    found = [Finding(Level.OK, _WHERE, f"{waiting:,} span(s) wait in {directory}")]
    if waiting and not any(row.has_sender for row in rows if row.spans):
        todo = "Start the application, or run `otel-llm spool drain`"
        found = [Finding(Level.NOTE, _WHERE, f"{waiting:,} span(s) wait in {directory}, and no process sends them", todo)]
    if dead:
        found.append(Finding(Level.WARNING, _WHERE, f"{dead:,} span(s) were refused for good, and are kept", _STATUS))
    if lost:
        found.append(Finding(Level.WARNING, _WHERE, f"{lost:,} span(s) were lost while they waited", _STATUS))
    return found
