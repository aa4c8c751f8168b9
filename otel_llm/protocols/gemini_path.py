"""What the URL of a Google call says: the model, and what is asked of it (``.../models/gemini-3-pro:streamGenerateContent``)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from otel_llm.protocols.values import text

_CALL: Final = re.compile(r".*/(?:models|tunedModels|endpoints)/(?P<model>.+):(?P<verb>[A-Za-z]+)/?", re.DOTALL)


def model_of(path: str) -> str | None:
    """The bare name of the model, tuned model or endpoint."""
    found = _CALL.fullmatch(unquote(path))
    return text(found["model"]) if found else None


def is_stream(path: str) -> bool:
    """Whether the verb is one that streams (``streamGenerateContent``, ``streamRawPredict``)."""
    found = _CALL.fullmatch(unquote(path))
    return found is not None and found["verb"].startswith("stream")
