"""Whether the clock on the wall was corrected: a machine without a clock of its own learns the time late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

#: Milliseconds by which clocks drift apart without having been corrected.
_DRIFT_MS: Final = 60_000


class ClockJump(NamedTuple):
    """The clock was put forward."""

    by_ms: int
    #: What it would show now, had it not been: what was written by then bears the former time.
    former_ms: int


class WallClock:
    """Compares milliseconds since 1970 with seconds that nobody corrects."""

    def __init__(self, now_ms: Callable[[], int], clock: Callable[[], float]) -> None:
        self._now_ms = now_ms
        self._clock = clock
        self._wall_ms, self._at_s = now_ms(), clock()

    def jump(self) -> ClockJump | None:
        """The correction since the last call. None if there was none, or the clock was put back: by that nothing gets too old."""
        now_ms, now_s = self._now_ms(), self._clock()
        former_ms = self._wall_ms + int((now_s - self._at_s) * 1000)
        self._wall_ms, self._at_s = now_ms, now_s
        by_ms = now_ms - former_ms
        return ClockJump(by_ms, former_ms) if by_ms > _DRIFT_MS else None
