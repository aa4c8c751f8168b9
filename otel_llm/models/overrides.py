"""What the store said last. A thread of its own asks it again and again, so that no call ever waits for it after the first one."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias
from weakref import WeakSet

from otel_llm.errors import ConfigurationError, OtelLLMError
from otel_llm.models.store import ModelStore, Override

_logger = logging.getLogger(__name__)

#: What gives the store; called in the thread, since to load a database's library takes time. None: there is no store.
OpenStore: TypeAlias = Callable[[], ModelStore | None]
#: Like ``threading.Event.wait``: whether the event was set before so many seconds were over.
Wait: TypeAlias = Callable[[threading.Event, float], bool]

#: Parts of the interval after which the store is asked again: less than all of it, so that a change is seen within the interval, and
#: not the same for all processes.
_SOONEST: Final = 0.7
_LATEST: Final = 0.9
#: After a failure, which may have taken some seconds itself.
_AFTER_FAILURE: Final = 0.25
_LOG_INTERVAL_S: Final = 60.0
_known: WeakSet[Overrides] = WeakSet()


class Overrides:
    """The active overrides by agent, at most ``refresh_s`` seconds old while the store answers, and the last known ones otherwise."""

    def __init__(
        self,
        open_store: OpenStore,
        *,
        refresh_s: float,
        first_load_s: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        self._open_store = open_store
        self._refresh_s = refresh_s
        self._first_load_s = first_load_s
        self._clock = clock
        self._wait = wait
        self._values: Mapping[str, Override] = {}
        self._read_at: float | None = None
        self._failing = False
        self._next_line = clock()
        self.start_over()
        _known.add(self)

    def start_over(self) -> None:
        """Have no thread, as in a forked child. What was known stays, and is used if the store does not answer at once."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._settled = False
        self._deadline = 0.0

    @property
    def age_s(self) -> float | None:
        """Seconds since the store last answered; None if it never did."""
        return None if self._read_at is None else self._clock() - self._read_at

    def current(self) -> Mapping[str, Override]:
        """What holds now. The first call of a process waits for the store, at most ``first_load_s`` seconds; others never do."""
        if not self._settled:
            self._settle()
        return self._values

    def start(self) -> None:
        """Begin to ask, without waiting for the answer."""
        with self._lock:
            if self._thread is None:
                self._deadline = time.monotonic() + self._first_load_s
                thread = threading.Thread(target=self._run, name="otel-llm-models", daemon=True)
                thread.start()
                self._thread = thread

    def _settle(self) -> None:
        try:
            self.start()
        except RuntimeError:  # no more threads, as when the interpreter ends
            return
        if not self._asked.wait(max(0.0, self._deadline - time.monotonic())) and not self._settled:
            held = "agents use the models that the code says" if self._read_at is None else "the last choices go on"
            _logger.warning("The store of models does not answer within %g s: until it does, %s", self._first_load_s, held)
        self._settled = True

    def _run(self) -> None:
        stopped = self._stopped
        while not self._wait(stopped, self.refresh()):
            pass

    def refresh(self) -> float:
        """Ask the store once; seconds until it should be asked again. Never raises."""
        try:
            store = self._open_store()
            values = {} if store is None else dict(store.active())
        except Exception as error:  # noqa: BLE001  (a store may be anybody's; told once a minute, below)
            self._tell(error)
            return self._refresh_s * _AFTER_FAILURE
        finally:
            self._asked.set()
        if self._failing:
            _logger.info("The store of models answers again")
        self._failing = False
        self._values, self._read_at = values, self._clock()
        return self._refresh_s * random.uniform(_SOONEST, _LATEST)  # noqa: S311  (spread, no secret)

    def _tell(self, error: Exception) -> None:
        """One line a minute."""
        self._failing = True
        if self._clock() < self._next_line:
            return
        self._next_line = self._clock() + _LOG_INTERVAL_S
        reason = _reason(error)
        held = "agents use the models that the code says" if self.age_s is None else f"choices {self.age_s:.0f} s old go on"
        _logger.warning("The store of models cannot be asked, %s: %s", held, reason)

    def stop(self) -> None:
        """Ask no more. What is known goes on to hold."""
        self._settled = True
        self._stopped.set()


def _reason(error: Exception) -> str:
    """The text of errors that are not ours may hold anything."""
    if isinstance(error, ConfigurationError):
        return "; ".join(error.faults)
    return str(error) if isinstance(error, OtelLLMError) else type(error).__name__


def _start_over() -> None:
    for overrides in list(_known):
        overrides.start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)
