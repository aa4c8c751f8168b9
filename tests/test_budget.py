"""The daily budget of observations: counted across processes, warned of once a day, never in the way."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otel_llm import budget as budget_module
from otel_llm import budget_file
from otel_llm.budget import Forecast, ObservationBudget, account_of, forecast
from otel_llm.budget_file import add, read

#: 2026-11-20 12:00:00 UTC.
NOON_S = 1_795_176_000.0
NOON = datetime.fromtimestamp(NOON_S, UTC)
TODAY = NOON.date()
DAY_S = 86_400.0
LINE = (
    "langfuse: {count} observations were sent today (UTC), {mark} % or more of the 1,000 a day that are set. All are sent "
    "nevertheless. Send fewer. `otel-llm doctor` shows the forecast."
)


class Clock:
    def __init__(self) -> None:
        self.now_s = NOON_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "observations.sqlite3"


def budget_at(path: Path | None, clock: Clock, limit: int = 1_000) -> ObservationBudget:
    return ObservationBudget("langfuse", "account", limit, advice="Send fewer", path=path, clock=clock)


def test_counts_are_written_at_once_then_every_few_seconds_and_at_the_end(path: Path, clock: Clock) -> None:
    budget = budget_at(path, clock)
    budget.count(10)
    assert read(path, "account") == {TODAY: 10}
    budget.count(5)
    assert read(path, "account") == {TODAY: 10}
    clock.now_s += budget_module.SAVE_EVERY_S
    budget.count(1)
    assert read(path, "account") == {TODAY: 16}
    budget.count(2)
    budget.save()
    budget.save()
    assert read(path, "account") == {TODAY: 18}


def test_the_file_is_for_this_user_alone(path: Path, clock: Clock) -> None:
    budget_at(path, clock).count(1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_line_at_80_and_at_100_percent_once_a_day_for_all_processes(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = budget_at(path, clock), budget_at(path, clock)
    for count in (799, 1, 100, 100, 100):
        one.count(count)
        one.save()
        other.count(0)
        other.save()
    assert [record.getMessage() for record in caplog.records] == [
        LINE.format(count="800", mark=80),
        LINE.format(count="1,000", mark=100),
    ]
    caplog.clear()
    other.count(1_000)
    other.save()
    assert caplog.records == []
    clock.now_s += DAY_S
    one.count(850)
    assert [record.getMessage() for record in caplog.records] == [LINE.format(count="850", mark=80)]


def test_days_are_counted_apart_by_utc(path: Path, clock: Clock) -> None:
    clock.now_s = NOON_S + DAY_S / 2 - 1
    budget = budget_at(path, clock)
    budget.count(1)
    budget.count(2)
    clock.now_s += 1
    budget.count(4)
    assert read(path, "account") == {TODAY: 3, TODAY + timedelta(days=1): 4}


def test_old_days_are_forgotten(path: Path) -> None:
    add(path, "account", TODAY - timedelta(days=63), 7, {})
    add(path, "account", TODAY - timedelta(days=62), 8, {})
    add(path, "account", TODAY, 9, {})
    assert read(path, "account") == {TODAY - timedelta(days=62): 8, TODAY: 9}


def _count_in_child(path: Path) -> None:
    budget_file._BUSY_S = 60.0  # type: ignore[misc]  # the other may be held up in the middle of its transaction
    budget = budget_at(path, Clock())
    for _ in range(20):
        budget.count(1)
        budget.save()


def test_processes_add_up(path: Path) -> None:
    add(path, "account", TODAY, 1, {})
    children = [multiprocessing.get_context("spawn").Process(target=_count_in_child, args=(path,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0]
    assert read(path, "account") == {TODAY: 41}


def test_what_a_forked_child_inherited_is_its_parents_to_save(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = budget_at(path, clock)
    budget.count(1)
    budget.count(10)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    budget.save()
    budget.count(5)
    assert read(path, "account") == {TODAY: 6}


def test_where_the_file_cannot_be_used_the_process_counts_alone(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    budget = budget_at(tmp_path / "file" / "state" / "observations.sqlite3", clock)
    for _ in range(3):
        budget.count(500)
        budget.save()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == [
        LINE.format(count="1,000", mark=100)
    ]


@pytest.mark.parametrize("kind", ["other database", "symbolic link", "no database"])
def test_a_file_that_is_not_ours_is_left_alone(path: Path, clock: Clock, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "theirs"
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(target) as connection:
        connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    before = target.read_bytes() if kind != "no database" else b"something else " * 500
    if kind == "symbolic link":
        path.symlink_to(target)
    else:
        path.write_bytes(before)
    budget_at(path, clock).count(5)
    assert path.read_bytes() == before


def test_nothing_is_kept_if_there_is_to_be_no_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", "none")
    budget_at(None, clock).count(2_000)
    assert list(tmp_path.iterdir()) == []
    assert [record.getMessage() for record in caplog.records] == [LINE.format(count="2,000", mark=100)]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, Forecast(0, 0, 0, 30)),
        # Half of today is over: twice as much, for 10.5 days to come.
        ({0: 100}, Forecast(100, 0, 100 + 200 * 10.5, 30)),
        # Three full days on the average, one of them without any.
        ({-3: 300, -1: 600, 0: 50}, Forecast(50, 600, 950 + 300 * 10.5, 30)),
        # Days of the month before count for the average only.
        ({-20: 2_000, 0: 10}, Forecast(10, 0, 10 + 100 * 10.5, 30)),
    ],
)
def test_the_month_is_forecast_from_an_average_day(path: Path, counts: dict[int, int], expected: Forecast) -> None:
    for days, count in sorted(counts.items()):
        add(path, "account", TODAY + timedelta(days=days), count, {})
    assert forecast("account", path=path, now=NOON) == expected


def test_a_file_that_cannot_be_read_forecasts_nothing(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else " * 500)
    assert forecast("account", path=path, now=NOON) == Forecast(0, 0, 0, 30)


def test_an_account_tells_no_key() -> None:
    assert account_of("langfuse", "https://host", "pk-lf-1") == account_of("langfuse", "https://host", "pk-lf-1")
    assert account_of("langfuse", "https://host", "pk-lf-1") != account_of("langfuse", "https://host", "pk-lf-2")
    assert "pk-lf-1" not in account_of("langfuse", "https://host", "pk-lf-1")
