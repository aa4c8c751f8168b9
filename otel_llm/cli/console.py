"""Standard output, wherever it goes."""

from __future__ import annotations

import contextlib
import io
import os
import sys

from rich.console import Console

#: Columns where nobody wraps the lines: a file or a pipe.
_UNWRAPPED = 10_000


def stdout_console() -> Console:
    """A console on standard output that never fails for a character that the output cannot encode, nor wraps in a pipe."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        with contextlib.suppress(ValueError):
            sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _UNWRAPPED
    return console
