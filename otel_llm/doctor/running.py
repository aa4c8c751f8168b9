"""Running checks side by side, within a deadline."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from otel_llm.doctor.finding import Finding, Level

_logger = logging.getLogger(__name__)


def run_all(checks: Mapping[str, Callable[[], Sequence[Finding]]], *, timeout_s: float) -> list[Finding]:
    """The findings of all checks, in the order of ``checks``; a check that is late or breaks is a fault of its own.

    Threads are daemons, so that a check that hangs holds nobody up.
    """
    deadline = time.monotonic() + timeout_s
    found: dict[str, Sequence[Finding]] = {}
    threads = {
        name: threading.Thread(target=_run, args=(name, check, found), name=f"otel-llm-doctor-{name}", daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    return [finding for name in checks for finding in found.get(name) or _late(name, timeout_s, name in found)]


def _run(name: str, check: Callable[[], Sequence[Finding]], found: dict[str, Sequence[Finding]]) -> None:
    try:
        found[name] = list(check())
    except Exception as error:  # one check that breaks must not hide the findings of the others
        _logger.debug("the check of %s broke", name, exc_info=error)
        found[name] = [
            Finding(Level.FAULT, name, f"could not be checked ({type(error).__name__})", "Report this as a fault of otel-llm")
        ]


def _late(name: str, timeout_s: float, finished: bool) -> list[Finding]:
    """Nothing for a check that finished without a finding."""
    if finished:
        return []
    return [
        Finding(
            Level.FAULT,
            name,
            f"was not checked within {timeout_s:g} s: it is slow or cannot be reached",
            "Check the network to it, or allow more with --timeout",
        )
    ]
