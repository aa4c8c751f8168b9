"""How long to wait before the next try."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

#: Doubling beyond this exponent is past any cap.
_MAX_EXPONENT = 32
#: The longest wait in seconds that the other side may ask for: it may have sent milliseconds by mistake.
LONGEST_ASKED_S = 3600.0


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
        """Seconds to wait after one more failure; not less than :func:`asked_s` of ``after_s``, which the other side asked for."""
        ceiling = min(self._cap_s, self._first_s * 2 ** min(self.failures, _MAX_EXPONENT))
        self.failures += 1
        return max(asked_s(after_s), self._uniform(0.0, ceiling))

    def reset(self) -> None:
        """Start over, after a success."""
        self.failures = 0


def asked_s(after_s: float | None) -> float:
    """The seconds to wait that the other side asked for, at most an hour; 0 if it did not, or that is no number."""
    return min(after_s, LONGEST_ASKED_S) if after_s is not None and math.isfinite(after_s) else 0.0
