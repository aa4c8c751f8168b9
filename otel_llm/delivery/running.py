"""The deliveries of this process that take something, whoever set them up: for what is said to a destination beside its spans."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

from otel_llm.delivery.destination import Destination

if TYPE_CHECKING:
    from otel_llm.delivery.queue import Delivery

_running: WeakSet[Delivery] = WeakSet()
_lock = threading.RLock()


def _renew() -> None:
    """A forked child may find the lock held by a thread that it does not have."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def began(delivery: Delivery) -> None:
    """It takes spans from now on."""
    with _lock:
        _running.add(delivery)


def ended(delivery: Delivery) -> None:
    """It takes no more."""
    with _lock:
        _running.discard(delivery)


def deliveries() -> list[Delivery]:
    """All of them."""
    with _lock:
        return list(_running)


def deliveries_to(kind: type[Destination]) -> list[Delivery]:
    """Those to destinations of one class."""
    with _lock:
        return [delivery for delivery in _running if isinstance(delivery.destination, kind)]
