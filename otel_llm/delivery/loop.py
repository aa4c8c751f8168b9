"""A thread that works in steps and rests in between."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.delivery.doorbell import Doorbell
from otel_llm.delivery.interrupts import is_for_the_application
from otel_llm.delivery.log_limit import LogLimit

_logger = logging.getLogger(__name__)

#: Seconds until the next step after a fault of ours.
_AFTER_FAULT_S = 1.0


class Loop(ABC):
    """One daemon thread, started when it is first needed; nothing that it does is traced."""

    def __init__(self, name: str, log_limit: LogLimit, bell: Doorbell | None = None) -> None:
        self.bell = bell or Doorbell()
        self._name = name
        self._log_limit = log_limit
        self._stopping = False
        self._thread: threading.Thread | None = None
        #: It has been started, and has not died since.
        self._is_up = False
        #: The caller of :meth:`work_here` does what the thread would.
        self._works_here = False
        self._starting = threading.RLock()

    @abstractmethod
    def step(self) -> float | None:
        """Do what there is to do. Seconds until there is more; None: when the bell rings."""

    @abstractmethod
    def finish(self) -> None:
        """Clean up, on the same thread, after the last step."""

    def rest(self, wait_s: float | None) -> None:
        """Wait for ``wait_s`` seconds or the bell."""
        if wait_s != 0.0:
            self.bell.wait(wait_s)

    @property
    def is_me(self) -> bool:
        """Whether the caller runs on this thread."""
        return self._thread is threading.current_thread()

    @property
    def alive(self) -> bool:
        """Whether there is a thread that works."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread, unless there is one. It gets an empty context, for the one of the first span's call is not its own.

        Who asks while another thread starts it waits until it is alive, or cannot be started.
        """
        if self._is_up:
            return
        with self._starting:
            if self._thread is not None or self._works_here:
                return
            context = contextvars.Context()
            self._thread = threading.Thread(target=context.run, args=(self._run,), name=self._name, daemon=True)
            try:
                self._thread.start()
                self._is_up = self._thread is not None
            except RuntimeError as error:  # no more threads, or the interpreter is shutting down
                self._thread = None
                _logger.debug("%s: no thread could be started", self._name, exc_info=error)

    def work_here(self, until_s: float, clock: Callable[[], float]) -> None:
        """Take steps on the calling thread while there is work and ``clock`` is before ``until_s``, unless there is a thread for it.

        From Python 3.12 on no thread can be started any more once the interpreter runs exit functions.
        """
        with self._starting:
            if self._thread is not None or self._works_here:
                return
            self._works_here = True
        try:
            contextvars.Context().run(self._take_steps, until_s, clock)
        finally:
            self._works_here = False

    def _take_steps(self, until_s: float, clock: Callable[[], float]) -> None:
        with suppress_instrumentation():
            while self._guarded(self.step) == 0.0 and clock() < until_s:
                pass

    def stop(self, timeout_s: float) -> bool:
        """End after the current step; whether the thread has ended within ``timeout_s`` seconds. Without one, clean up here."""
        self._stopping = True
        self.bell.ring()
        if self._thread is None:
            self._guarded(self.finish)
            return True
        with contextlib.suppress(RuntimeError):  # called on the thread itself
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            with suppress_instrumentation():
                wait_s: float | None = None
                while not self._stopping:
                    self.rest(wait_s)
                    if not self._stopping:
                        wait_s = self._guarded(self.step)
                self._guarded(self.finish)
        finally:
            if not self._stopping:
                self._is_up = False
                self._thread = None  # the next who needs it starts another

    def _guarded(self, work: Callable[[], float | None]) -> float | None:
        try:
            return work()
        except BaseException as error:  # the thread must outlive any fault of ours
            if is_for_the_application(error):
                raise
            if self._log_limit.due("fault"):
                _logger.warning("%s: a fault in otel-llm itself (%s), going on", self._name, type(error).__name__)
            _logger.debug("%s: fault in a step", self._name, exc_info=error)
            return _AFTER_FAULT_S
