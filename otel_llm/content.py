"""What of prompts and answers may be recorded, and their JSON text."""

from __future__ import annotations

import json
import os
from enum import Enum
from typing import Any, Final

from pydantic_core import PydanticSerializationError, to_json

#: The ecosystem's own switch (opentelemetry-util-genai); its values are not booleans.
CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class CaptureMode(Enum):
    """Where message content goes: nowhere (the default of the conventions), onto spans, onto events, or both."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """Whether content goes onto spans."""
        return self in (CaptureMode.SPAN_ONLY, CaptureMode.SPAN_AND_EVENT)

    @property
    def on_events(self) -> bool:
        """Whether content goes onto events."""
        return self in (CaptureMode.EVENT_ONLY, CaptureMode.SPAN_AND_EVENT)


def capture_mode(value: str | None = None) -> CaptureMode:
    """The mode named by ``value``, or by the environment; an unknown word means no content, as in opentelemetry-util-genai."""
    text = value if value is not None else os.environ.get(CAPTURE_VARIABLE, "")
    try:
        return CaptureMode(text.strip().upper() or "NO_CONTENT")
    except ValueError:
        return CaptureMode.NO_CONTENT


class _Process:
    """What this process was told to record, if it was told in code."""

    def __init__(self) -> None:
        self.mode: CaptureMode | None = None


_process = _Process()


def use_mode(mode: CaptureMode | None) -> None:
    """Have ``mode`` in force from now on; None means what the environment says."""
    _process.mode = mode


def mode_in_force() -> CaptureMode:
    """The mode that was given to ``instrument`` or ``configure``, else that of the environment."""
    return _process.mode or capture_mode()


def json_text(value: Any) -> str:
    """JSON text of decoded JSON. Takes what strict serialisers refuse (lone surrogates, huge integers), never raises for such input."""
    try:
        return to_json(value, inf_nan_mode="constants").decode()
    except (PydanticSerializationError, UnicodeError, ValueError, RecursionError):
        return json.dumps(value, default=str)
