"""The version, and the instrumentation scope under which otel-llm emits."""

from __future__ import annotations

from typing import Final

__version__ = "0.1.0"

SCOPE: Final = "otel_llm"
