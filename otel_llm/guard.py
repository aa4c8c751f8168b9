"""The one guard at the boundary: a fault of ours is logged and counted, and never reaches the application."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger(__name__)
_SILENCE_S = 60.0


class _Faults:
    """How many faults there were, and when one was last logged."""

    def __init__(self) -> None:
        self.count = 0
        self.logged_at = float("-inf")


faults = _Faults()


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """``function``, returning None where it would raise. Faults are logged once a minute, with their traceback but no payload."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (this is the one place where anything of ours is caught)
            _note(function.__qualname__, error)
            return None

    return call


def _note(where: str, error: Exception) -> None:
    faults.count += 1
    now = time.monotonic()
    if now - faults.logged_at >= _SILENCE_S:
        faults.logged_at = now
        message = "otel-llm failed in %s; the application's call is not affected (%d such faults so far)"
        _logger.warning(message, where, faults.count, exc_info=error)
