"""A world for each case, and a table of the figures at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from faults.processes import World, world
from faults.table import Figures, table

_measured: list[Figures] = []


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    """Destinations that are well, an empty spool, no application yet."""
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def measured() -> Callable[..., None]:
    """Keeps figures for the table: ``measured("503", world, seconds=..., peak_mib=..., p99_us=...)``."""

    def keep(case: str, of: World, **figures: Any) -> None:
        _measured.append(Figures.of(case, of, **figures))

    return keep


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table."""
    if _measured:
        terminalreporter.section("what was lost")
        terminalreporter.write_line(table(_measured))
