"""The command line, ``otel-llm``; needs the extra ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the command ``otel-llm``."""
    try:
        from otel_llm.cli.app import app
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit("The command line needs an extra: pip install 'otel-llm[cli]'")
    app(prog_name="otel-llm")
