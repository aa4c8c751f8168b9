"""The marks by which opentelemetry-util-genai keeps silent below an invocation of another library.

They are its public context keys (``opentelemetry.util.genai.invocation.CLIENT_*_CONTEXT_KEY``), written out here because importing
them loads all of it; a test holds them to it.
"""

from __future__ import annotations

from typing import Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

_PREFIX: Final = "opentelemetry.genai.client."
INFERENCE_KEY: Final = f"{_PREFIX}inference.context"


def inside_inference(context: Context) -> bool:
    """Whether another library's invocation of a model is under way in ``context``."""
    return otel_context.get_value(INFERENCE_KEY, context) is not None


def without_suppression(context: Context) -> Context:
    """``context`` in which calls are recorded again: for work that outlives the invocation it was started in."""
    return Context({key: value for key, value in context.items() if not key.startswith(_PREFIX)})
