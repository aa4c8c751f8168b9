"""Work of others that may take longer than it is given: exporters of the SDK wait for an endpoint whatever deadline they are told."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class Begun(Generic[T]):
    """``work`` on a thread of its own, which does not keep the process alive."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="otel-llm-deadline", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # Python 3.12 starts no thread once the interpreter ends
            self._thread = None
            self._run()

    def result(self, timeout_s: float) -> T | None:
        """What it gave; None if it takes longer than ``timeout_s`` seconds, which is then no longer waited for, or has failed."""
        if self._thread is not None:
            self._thread.join(max(0.0, timeout_s))
        return self._found[0] if self._found else None

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except Exception as error:  # somebody else's work, at the end of somebody's process
            _logger.debug("A processor or exporter failed", exc_info=error)


def within(timeout_s: float, work: Callable[[], T]) -> T | None:
    """What ``work`` gives; None if it takes longer than ``timeout_s`` seconds, or fails."""
    return Begun(work).result(timeout_s)
