"""Items that say where the work on them belongs, for queues of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from otel_llm.carriers import AttachMode, Carrier, capture

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parcel(Generic[T]):
    """An item, and where it came from. Can be pickled if the item can; in a priority queue the items are compared."""

    item: T
    carrier: Carrier

    @contextmanager
    def open(self, mode: AttachMode = "child") -> Iterator[T]:
        """Work on the item where it came from; ``mode`` as in :meth:`otel_llm.Carrier.attach`."""
        with self.carrier.attach(mode):
            yield self.item

    def __lt__(self, other: Parcel[Any]) -> bool:
        """By the items, for priority queues. Raises TypeError if they have no order."""
        return bool(self.item < other.item)


def parcel(item: T) -> Parcel[T]:
    """``item`` with the present context, for ``asyncio.Queue``, ``queue.Queue`` and queues between processes.

    ::

        await queue.put(otel_llm.parcel(item))

        with (await queue.get()).open() as item:
            ...
    """
    return Parcel(item, capture())
