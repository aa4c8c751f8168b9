"""Exceptions that are not ours to survive."""

from __future__ import annotations

import threading


def is_for_the_application(error: BaseException) -> bool:
    """Whether a signal may have raised it: Ctrl-C, or a handler that exits. These reach the main thread at any point."""
    return isinstance(error, KeyboardInterrupt | SystemExit) and threading.current_thread() is threading.main_thread()
