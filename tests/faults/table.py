"""Figures of cases, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from faults.processes import World

_HEAD = ("case", "spans", "lost: Langfuse", "lost: InsForge", "sent twice", "seconds", "peak MiB", "p50 us", "p99 us", "remark")


@dataclass(frozen=True)
class Figures:
    """What was measured in one case. Costs are those of a span to the application's thread."""

    case: str
    spans: int
    lost: dict[str, int]
    repeats: int
    seconds: float | None = None
    peak_mib: int | None = None
    p50_us: int | None = None
    p99_us: int | None = None
    remark: str = ""

    @classmethod
    def of(cls, case: str, world: World, **figures: Any) -> Self:
        """With what the world tells by itself."""
        repeats = sum(found["repeats"] for found in world.backend.counts().values())
        lost = {name: len(spans) for name, spans in world.lost().items()}
        return cls(case, len(world.ended()), lost, repeats, **figures)

    @property
    def row(self) -> tuple[str, ...]:
        """The cells."""
        measured = (self.seconds, self.peak_mib, self.p50_us, self.p99_us)
        cells = ("" if value is None else f"{value:,}" for value in measured)
        lost = (f"{self.lost[name]:,}" for name in ("langfuse", "insforge"))
        return (self.case, f"{self.spans:,}", *lost, f"{self.repeats:,}", *cells, self.remark)


def table(measured: Sequence[Figures]) -> str:
    """In Markdown."""
    return markdown([_HEAD, *(figures.row for figures in measured)])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
