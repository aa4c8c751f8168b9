"""The clock of this machine beside that of a server."""

from __future__ import annotations

from typing import Final

from otel_llm.doctor.finding import Finding, Level

#: Seconds. Beyond this, live views and time windows of a server show calls in the wrong place, or not at all.
MOST_SKEW_S: Final = 30.0


def clock_findings(server: str, ahead_s: float | None) -> list[Finding]:
    """Nothing if the server did not tell its time; ``ahead_s``: seconds by which its clock is ahead."""
    if ahead_s is None:
        return []
    if abs(ahead_s) <= MOST_SKEW_S:
        return [Finding(Level.OK, "clock", f"in step with {server}")]
    direction = "behind" if ahead_s > 0 else "ahead of"
    return [
        Finding(
            Level.WARNING,
            "clock",
            f"this machine's clock is {abs(ahead_s):,.0f} s {direction} that of {server}; calls appear at the wrong time there",
            "Synchronise the clock (NTP)",
        )
    ]
