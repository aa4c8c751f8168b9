"""How many observations a destination gets a day (UTC), against what one wants to spend.

Plans of observability services are priced by observations. Nothing is ever withheld here: a warning says how to spend fewer.
"""

from __future__ import annotations

import calendar
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from otel_llm.budget_file import Tally, add, counts_path, read
from otel_llm.errors import OtelLLMError

_logger = logging.getLogger(__name__)

#: Percent of the limit at which a line is logged.
_MARKS: Final = (80, 100)
#: Seconds between two writes of the count.
SAVE_EVERY_S: Final = 5.0
#: Full days of which an average is taken.
_MOST_DAYS: Final = 30


def account_of(destination: str, *parts: str) -> str:
    """Whose observations are counted together: a name that tells neither keys nor addresses."""
    return f"{destination} {hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


class ObservationBudget:
    """Counts what one destination has taken. For one thread, the worker of its delivery.

    The count is shared with other processes of this user through a small file, written at most every five seconds and at the
    end, so a process that is killed may leave the last seconds out. Where the file cannot be used, this process counts alone.
    ``advice`` says how to spend fewer; ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        destination: str,
        account: str,
        limit: int,
        *,
        advice: str,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._destination = destination
        self._account = account
        self._limit = limit
        self._marks = {mark: limit * mark / 100 for mark in _MARKS}
        self._advice = advice
        self._path = path
        self._clock = clock
        #: Counted since the last write, and by this process today; the mark that was warned of today.
        self._unsaved = 0
        self._here = 0
        self._warned = 0
        self._start_over(self._today())

    def count(self, observations: int) -> None:
        """Count observations that were delivered. Never raises."""
        today = self._today()
        if self._pid != os.getpid():  # what was inherited is the parent's to save
            self._start_over(today)
        if today != self._day:
            self.save()
            self._start_over(today)
        self._unsaved += observations
        self._here += observations
        if not 0 <= self._clock() - self._saved_at_s < SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write what is not written yet, and warn if a mark is reached. Never raises."""
        if not self._unsaved or self._pid != os.getpid():
            return
        self._saved_at_s = self._clock()
        count, reached = self._shared() or (self._here, self._reached_here())
        if reached > self._warned:
            self._warned = reached
            self._warn(count, reached)

    def _shared(self) -> Tally | None:
        """The count of all processes; None where they cannot share it."""
        path = self._path or counts_path()
        if path is None:
            return None
        try:
            tally = add(path, self._account, self._day, self._unsaved, self._marks)
        except (OSError, OtelLLMError, sqlite3.Error) as error:
            _logger.debug("%s: observations could not be counted in %s", self._destination, path, exc_info=error)
            return None
        self._unsaved = 0
        return tally

    def _reached_here(self) -> int:
        return max((mark for mark, least in self._marks.items() if self._here >= least), default=0)

    def _start_over(self, day: date) -> None:
        self._pid = os.getpid()
        self._day = day
        self._unsaved = 0
        self._here = 0
        self._warned = 0
        self._saved_at_s = float("-inf")

    def _warn(self, count: int, reached: int) -> None:
        _logger.warning(
            "%s: %s observations were sent today (UTC), %d %% or more of the %s a day that are set. All are sent nevertheless. %s. "
            "`otel-llm doctor` shows the forecast.",
            self._destination,
            f"{count:,}",
            reached,
            f"{self._limit:,}",
            self._advice,
        )

    def _today(self) -> date:
        return datetime.fromtimestamp(self._clock(), UTC).date()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Counts of an account, and where the month leads to."""

    today: int
    yesterday: int
    #: Observations of the calendar month, at its end: those counted, and the average day for each day to come.
    month: int
    days_in_month: int


def forecast(account: str, *, path: Path | None = None, now: datetime | None = None) -> Forecast:
    """The forecast of an account, empty if nothing was counted or can be read. ``now`` has a time zone."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    today = moment.date()
    counts = _counts(account, path or counts_path())
    days = calendar.monthrange(today.year, today.month)[1]
    so_far = sum(count for day, count in counts.items() if (day.year, day.month) == (today.year, today.month) and day <= today)
    to_come = days - today.day + 1 - _share_of_day(moment)
    return Forecast(
        today=counts.get(today, 0),
        yesterday=counts.get(today - timedelta(days=1), 0),
        month=round(so_far + _average(counts, moment) * to_come),
        days_in_month=days,
    )


def _counts(account: str, path: Path | None) -> dict[date, int]:
    try:
        return {} if path is None else dict(read(path, account))
    except (OSError, sqlite3.Error) as error:
        _logger.debug("the counts of observations in %s cannot be read", path, exc_info=error)
        return {}


def _average(counts: dict[date, int], now: datetime) -> float:
    """Observations of a day: over the full days since counting began, else extrapolated from today."""
    today = now.date()
    first = max(min(counts, default=today), today - timedelta(days=_MOST_DAYS))
    full_days = (today - first).days
    if full_days > 0:
        return sum(count for day, count in counts.items() if first <= day < today) / full_days
    return counts.get(today, 0) / max(_share_of_day(now), 1 / 24)


def _share_of_day(now: datetime) -> float:
    return (now.hour * 3600 + now.minute * 60 + now.second) / 86_400
