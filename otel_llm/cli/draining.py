"""Delivering what waits on disk, and telling what became of it."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from otel_llm.delivery.destination import destination_key
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool.inspect import Inspector, Look
from otel_llm.errors import OtelLLMError

_LOOK_S: Final = 0.1
#: The reason in the disk queue's account of losses for what was refused, and is kept.
_DEAD: Final = "dead"


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of what waited for one destination."""

    name: str
    delivered: int
    refused: int
    #: Number of spans by reason: too old, deleted meanwhile, in a file that was damaged.
    lost: Mapping[str, int]
    #: Number of spans that still wait; None if the disk could not be read at the end.
    left: int | None
    #: Why something is left; None if nothing is.
    reason: str | None
    #: Why the latest try failed; None if none did.
    last_error: str | None

    @property
    def is_done(self) -> bool:
        """Whether nothing waits any more, and nothing was lost."""
        return self.left == 0 and not self.lost


class _Account:
    """What a spool loses while it is looked at."""

    def __init__(self, first: Look) -> None:
        self.last = first
        #: Number of spans by destination and reason.
        self.lost: Counter[tuple[str, str]] = Counter()
        #: Why the latest look was in vain; None if it was not.
        self.unread: str | None = None

    def look(self, inspector: Inspector) -> None:
        try:
            seen = inspector.look()
        except (sqlite3.Error, OSError, OtelLLMError) as error:
            self.unread = str(error) or type(error).__name__
            return
        known = self.last.losses
        if seen.set_aside - self.last.set_aside:
            self.lost.update({(name, "damaged"): spans for name, spans in self.last.spans.items()})
            known = {}
        for key, spans in seen.losses.items():
            _, name, reason = key
            self.lost[name, reason] += max(0, spans - known.get(key, 0))
        self.last, self.unread = seen, None


def drained(
    inspector: Inspector, deliveries: Sequence[Delivery], timeout_s: float, tell: Callable[[int, int], None]
) -> list[Drained]:
    """Send until nothing is left or ``timeout_s`` seconds are over. ``tell`` hears how many spans are left, and of how many.

    Raises sqlite3.Error, OSError or an OtelLLMError if the disk cannot be read at the beginning.
    """
    deadline = time.monotonic() + timeout_s
    first = inspector.look()
    account = _Account(first)
    total = _left(first, deliveries)
    for delivery in deliveries:
        delivery.open()
    account.look(inspector)
    while (left := _left(account.last, deliveries) or account.unread) and time.monotonic() < deadline:
        if isinstance(left, int):
            tell(left, total)
        time.sleep(_LOOK_S)
        account.look(inspector)
    deferred = _deferred(inspector) if account.last.spans else {}
    found = [_outcome(delivery, first, account, timeout_s, deferred) for delivery in deliveries]
    for delivery in deliveries:
        delivery.shutdown(max(0.0, deadline - time.monotonic()))
    return found


def _left(look: Look, deliveries: Sequence[Delivery]) -> int:
    return sum(look.spans.get(_key(delivery), 0) for delivery in deliveries)


def _key(delivery: Delivery) -> str:
    return destination_key(delivery.destination) or ""


def _deferred(inspector: Inspector) -> dict[str, int]:
    try:
        return {row.destination: row.deferred for row in inspector.waiting()}
    except (sqlite3.Error, OSError, OtelLLMError):
        return {}


def _outcome(delivery: Delivery, first: Look, account: _Account, timeout_s: float, deferred: Mapping[str, int]) -> Drained:
    key = _key(delivery)
    lost = {reason: spans for (name, reason), spans in sorted(account.lost.items()) if name == key and spans}
    refused = lost.pop(_DEAD, 0)
    left = account.last.spans.get(key, 0)
    delivered = max(0, first.spans.get(key, 0) - left - refused - sum(lost.values()))
    error = delivery.stats.last_error
    if account.unread is not None:
        return Drained(delivery.destination.name, delivered, refused, lost, None, account.unread, error)
    reason = (_obstacle(delivery, deferred.get(key, 0)) or _late(delivered, timeout_s)) if left else None
    return Drained(delivery.destination.name, delivered, refused, lost, left, reason, error)


def _obstacle(delivery: Delivery, deferred: int) -> str | None:
    """Why not all was delivered, but for the time that is over."""
    if delivery.spool is not None and not delivery.spool.leads():
        return "another process sends there, and was waited for"
    if delivery.stats.last_error is None and deferred:
        return f"{deferred:,} of them were put off, and their records are still to be made"
    return delivery.stats.last_error


def _late(delivered: int, timeout_s: float) -> str:
    return f"{'not all could be sent' if delivered else 'no answer'} within {timeout_s:g} s"
