"""Modules that take long to load, loaded while others go on."""

from __future__ import annotations

import os
import sys
import threading
import time
from importlib import import_module
from typing import Final, NamedTuple

#: Seconds until a module that could not be loaded is tried again; doubled up to the second figure.
_FIRST_AGAIN_S: Final = 1.0
_LAST_AGAIN_S: Final = 30.0

#: Held meanwhile. A child that is forked then would have half of a module, and wait for ever for the rest.
_loading = threading.Lock()
#: Seconds for which a fork waits for it.
_LONGEST_S: Final = 5.0
_held: list[bool] = []


class _Failure(NamedTuple):
    error: BaseException
    again_at: float
    next_wait_s: float


_failures: dict[str, _Failure] = {}


def loaded(name: str) -> bool:
    """Whether a module is loaded. If not, it is from now on, on a thread of its own; again after a while where that failed.

    It fails where a process has no files or memory left, and need not fail the next time.
    """
    if not _loading.locked() and name in sys.modules:
        return True
    failure = _failures.get(name)
    if failure is not None and time.monotonic() < failure.again_at:
        return False
    if _loading.acquire(blocking=False):
        try:
            threading.Thread(target=_load, args=(name,), name="otel-llm-loading", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            _loading.release()
    return False


def why_not_loaded(name: str) -> BaseException | None:
    """What the last try to load a module has raised; None if it is loaded, or was not tried yet."""
    failure = _failures.get(name)
    return None if failure is None else failure.error


def _load(name: str) -> None:
    try:
        import_module(name)
        _failures.pop(name, None)
    except BaseException as error:  # noqa: BLE001  (who needs it tells of it)
        before = _failures.get(name)
        wait_s = _FIRST_AGAIN_S if before is None else before.next_wait_s
        _failures[name] = _Failure(error, time.monotonic() + wait_s, min(wait_s * 2, _LAST_AGAIN_S))
    finally:
        _loading.release()


def _hold() -> None:
    _held.append(_loading.acquire(timeout=_LONGEST_S))


def _let_go() -> None:
    if _held and _held.pop():
        _loading.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
