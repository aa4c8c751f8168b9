"""How much each case does: little by default, to run with every other test; ``OTEL_LLM_FAULTS=full`` for the figures."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLE = "OTEL_LLM_FAULTS"


@dataclass(frozen=True)
class Scale:
    """Numbers of spans, spans a second, and seconds."""

    spans: int = 1_500
    rate: float = 1_000.0
    outage_from_s: float = 0.4
    outage_s: float = 0.7
    burst: int = 5_000
    kills: int = 3
    kill_rates: tuple[float, ...] = (500.0, 50.0)
    #: An application lives so long before it is killed, at least and at most.
    kill_after_s: tuple[float, float] = (0.3, 1.2)
    queued_at_exit: int = 2_000
    each_of_four: int = 800


FULL = Scale(
    spans=100_000,
    rate=2_500.0,
    outage_from_s=10.0,
    outage_s=20.0,
    burst=100_000,
    kills=25,
    kill_rates=(2_500.0, 50.0),
    kill_after_s=(0.5, 5.0),
    queued_at_exit=20_000,
    each_of_four=10_000,
)
SCALE = FULL if os.environ.get(VARIABLE) == "full" else Scale()
