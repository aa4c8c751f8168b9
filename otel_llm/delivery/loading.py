"""Modules that take long to load, loaded while others go on."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from importlib import import_module
from typing import Final

#: Held meanwhile. A child that is forked then would have half of a module, and wait for ever for the rest.
_loading = threading.Lock()
#: Seconds for which a fork waits for it.
_LONGEST_S: Final = 5.0
_held: list[bool] = []
#: What was tried to load, be it there or not.
_tried: set[str] = set()


def loaded(name: str) -> bool:
    """Whether a module is loaded, or cannot be. If not, it is from now on, on a thread of its own."""
    if not _loading.locked() and (name in sys.modules or name in _tried):
        return True
    if _loading.acquire(blocking=False):
        try:
            threading.Thread(target=_load, args=(name,), name="otel-llm-loading", daemon=True).start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            _loading.release()
    return False


def _load(name: str) -> None:
    try:
        _tried.add(name)
        with contextlib.suppress(Exception):  # who needs it tells of it
            import_module(name)
    finally:
        _loading.release()


def _hold() -> None:
    _held.append(_loading.acquire(timeout=_LONGEST_S))


def _let_go() -> None:
    if _held and _held.pop():
        _loading.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
