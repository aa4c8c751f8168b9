"""The disk queue between an ended span and its destinations: what has been encoded outlives the process."""

from __future__ import annotations

from otel_llm.delivery.spool.disk import Counts, DiskSpool, Overflow, SpoolBatch, SpoolFullError
from otel_llm.delivery.spool.file import SpoolFileError
from otel_llm.delivery.spool.place import SpoolPlace, spool_place
from otel_llm.delivery.spool.process_lock import ProcessLock

__all__ = [
    "Counts",
    "DiskSpool",
    "Overflow",
    "ProcessLock",
    "SpoolBatch",
    "SpoolFileError",
    "SpoolFullError",
    "SpoolPlace",
    "spool_place",
]
