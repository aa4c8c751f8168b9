"""The parts of a batch that is halved, and what the destination has said of them."""

from __future__ import annotations

from collections import deque
from typing import Final

from otel_llm.delivery.backlog import Batch
from otel_llm.delivery.unreadable import why_unreadable

#: Where nothing of a batch of so many records is taken, that tells of the destination rather than of the records.
MANY: Final = 8


class Parts:
    """A batch on its way: what is still to be sent, in order, and what was refused.

    Once ``MANY`` records were refused by themselves while nothing was taken, as many from all over the rest are tried by themselves
    before any others. If these are refused, too, or there are no more, the batch is ``refused_as_a_whole``. ``vouched``: the
    destination is known to take others, so it is the records that are bad, however many.
    """

    def __init__(self, batch: Batch, *, vouched: bool) -> None:
        self.batch = batch
        #: Records that were refused for good, with the reason.
        self.dead: list[tuple[bytes, str]] = []
        whole: list[bytes] = []
        for record in batch.bodies:
            reason = why_unreadable(record)
            if reason is None:
                whole.append(record)
            else:
                self.dead.append((record, reason))
        self._whole = tuple(whole)
        #: What is still to be sent.
        self.left: deque[tuple[bytes, ...]] = deque([self._whole] if whole else [])
        self._doubted = len(whole) >= MANY and not vouched
        self._is_taken = False
        self._refused = 0
        self._enough = MANY
        self._is_spread = False

    @property
    def is_whole(self) -> bool:
        """Whether the destination has said nothing of it yet that is to be remembered."""
        return bool(self.left) and self.left[0] is self._whole

    @property
    def nothing_taken(self) -> bool:
        """Whether the batch was large, and all of it was refused."""
        return not self._is_taken and len(self._whole) >= MANY

    def taken(self) -> None:
        """The destination has taken the first part."""
        self.left.popleft()
        self._is_taken = True

    def split(self) -> None:
        """The first part is to be sent in halves."""
        part = self.left.popleft()
        middle = len(part) // 2
        self.left.extendleft((part[middle:], part[:middle]))

    def refused(self, reason: str) -> None:
        """The destination has refused the first part for good."""
        part = self.left.popleft()
        self.dead += [(record, reason) for record in part]
        self._refused += len(part)
        if self.refused_as_a_whole and self.left and not self._is_spread:
            self._spread()

    @property
    def refused_as_a_whole(self) -> bool:
        """Whether it is the destination that refuses, as far as can be told."""
        return self._doubted and not self._is_taken and self._refused >= self._enough

    def _spread(self) -> None:
        """Bad records often come in a row, so those behind say little."""
        rest = [record for part in self.left for record in part]
        size = -(-len(rest) // MANY)
        pieces = [tuple(rest[at : at + size]) for at in range(0, len(rest), size)]
        self.left = deque((piece[-1],) for piece in pieces)
        self.left.extend(piece[:-1] for piece in pieces if len(piece) > 1)
        self._enough = self._refused + len(pieces)
        self._is_spread = True
