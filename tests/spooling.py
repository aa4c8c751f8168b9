"""Disk queues for tests: clocks that pass when told to, and files that are closed in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_llm.delivery import Limits
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.spool import DiskSpool, SpoolPlace
from otel_llm.delivery.spool.access import Spool, SpoolSettings

Open = Callable[..., DiskSpool]
Use = Callable[..., Spool]
ALL = Limits(max_records=1_000, max_bytes=1_000_000_000)
DESTINATION = "langfuse"


class Clock:
    """Seconds that pass, and the time on the wall, which may be corrected besides."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.wall_ms = 1_000_000_000

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.wall_ms += int(seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path) -> SpoolPlace:
    return SpoolPlace(tmp_path / "spool")


@pytest.fixture
def open_spool(place: SpoolPlace, clock: Clock) -> Iterator[Open]:
    """Opens the file, as a process has it open for one destination."""
    opened: list[DiskSpool] = []

    def opening(destination: str = DESTINATION, writer: str = "w1", **options: object) -> DiskSpool:
        settings = {"max_bytes": 10_000_000, "max_age_s": 3600.0, **options}
        opened.append(DiskSpool(place, destination, writer, now_ms=lambda: clock.wall_ms, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield opening
    for spool in opened:
        spool.close()


@pytest.fixture
def use_spool(place: SpoolPlace, clock: Clock) -> Iterator[Use]:
    """The disk queue as a delivery uses it."""
    used: list[Spool] = []

    def using(destination: str = DESTINATION, **options: object) -> Spool:
        settings = SpoolSettings(place, **options)  # type: ignore[arg-type]
        log_limit = LogLimit(lambda: clock.now)
        used.append(Spool(settings, destination, log_limit=log_limit, clock=lambda: clock.now, now_ms=lambda: clock.wall_ms))
        return used[-1]

    yield using
    for spool in used:
        spool.close()


def waiting(spool: DiskSpool) -> list[bytes]:
    """The records that wait for the destination, whoever wrote them."""
    batch = spool.next_batch(ALL)
    return [] if batch is None else list(batch.records)
