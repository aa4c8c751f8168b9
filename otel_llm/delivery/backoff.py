"""How long to wait before the next try."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

#: Doubling beyond this exponent is past any cap.
_MAX_EXPONENT = 32


class Backoff:
    """Exponential backoff with full jitter: uniform between 0 and ``first_s * 2**failures``, at most ``cap_s`` seconds.

    ``uniform`` draws from an interval, as :func:`random.uniform` does.
    """

    def __init__(
        self, *, first_s: float = 1.0, cap_s: float = 30.0, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._uniform = uniform
        self.failures = 0

    def next_s(self, after_s: float | None = None) -> float:
        """Seconds to wait after one more failure; never less than ``after_s``, which the other side asked for and no cap limits."""
        ceiling = min(self._cap_s, self._first_s * 2 ** min(self.failures, _MAX_EXPONENT))
        self.failures += 1
        delay = self._uniform(0.0, ceiling)
        if after_s is None or not math.isfinite(after_s):
            return delay
        return max(after_s, delay)

    def reset(self) -> None:
        """Start over, after a success."""
        self.failures = 0
