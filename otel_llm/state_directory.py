"""Where otel-llm keeps files of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

#: Environment variable that names another directory; ``none``: nothing is kept that is not asked for.
VARIABLE: Final = "OTEL_LLM_STATE_DIR"


def state_directory(environ: Mapping[str, str] = os.environ) -> Path | None:
    """``$OTEL_LLM_STATE_DIR``, else ``otel-llm`` in the user's state directory (XDG Base Directory); None if there is to be none.

    Not created here.
    """
    chosen = environ.get(VARIABLE, "").strip()
    if chosen.lower() == "none":
        return None
    if chosen:
        return Path(os.path.expanduser(chosen)).absolute()
    directory = users_directory(environ)
    return directory if directory.is_absolute() else None


def users_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """``otel-llm`` in the user's state directory; relative if there is no home."""
    state = environ.get("XDG_STATE_HOME", "")
    return Path(state if os.path.isabs(state) else os.path.expanduser("~/.local/state"), "otel-llm")
