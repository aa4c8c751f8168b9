"""Objects of this process that are in use: known by all, kept by none."""

from __future__ import annotations

from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class InUse(Generic[T]):
    """A set of objects in the order they came, held weakly. One thread may add to it while others look, which a ``WeakSet`` forbids."""

    def __init__(self) -> None:
        self._by_id: WeakValueDictionary[int, T] = WeakValueDictionary()

    def add(self, one: T) -> None:
        """Make known."""
        self._by_id[id(one)] = one

    def discard(self, one: T) -> None:
        """Forget, if it is known."""
        self._by_id.pop(id(one), None)

    def all(self) -> list[T]:
        """Those there are now."""
        return [one for known in self._by_id.valuerefs() if (one := known()) is not None]
