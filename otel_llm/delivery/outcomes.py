"""What came of sending a batch, and so what to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has taken the whole batch. ``duplicates`` counts records that it already had."""

    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class Retry:
    """Transient, or the result is unknown: send the very same records again, after ``after_s`` seconds if the destination said so."""

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Something in the batch is bad or the batch is too large: send its halves. For a single record it means reject."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Permanent for these records: drop and count them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Permanent for the destination until somebody mends it (wrong key, missing table): keep the records, stop trying for long."""

    reason: str


Outcome: TypeAlias = Delivered | Retry | Split | Reject | Pause
