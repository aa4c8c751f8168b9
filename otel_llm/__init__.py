"""OpenTelemetry-native tracing of LLM calls: recorded on the wire, delivered to Langfuse and, during a migration, to legacy tables.

The names below are the public surface. They are loaded when first used, so that ``import otel_llm`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel_llm.version import __version__

if TYPE_CHECKING:
    from otel_llm.background import Carrier, capture, spawn
    from otel_llm.configuration import configure, force_flush, shutdown
    from otel_llm.content import CaptureMode
    from otel_llm.context import agent, identify, workflow
    from otel_llm.errors import ConfigurationError, DeliveryError, MissingExtraError, OtelLLMError
    from otel_llm.instrumentation import LLMInstrumentor, instrument, instrument_client, uninstrument
    from otel_llm.processor import ContextProcessor

__all__ = [
    "CaptureMode",
    "Carrier",
    "ConfigurationError",
    "ContextProcessor",
    "DeliveryError",
    "LLMInstrumentor",
    "MissingExtraError",
    "OtelLLMError",
    "__version__",
    "agent",
    "capture",
    "configure",
    "force_flush",
    "identify",
    "instrument",
    "instrument_client",
    "shutdown",
    "spawn",
    "uninstrument",
    "workflow",
]

_HOME = {
    "CaptureMode": "content",
    "Carrier": "background",
    "ConfigurationError": "errors",
    "ContextProcessor": "processor",
    "DeliveryError": "errors",
    "LLMInstrumentor": "instrumentation",
    "MissingExtraError": "errors",
    "OtelLLMError": "errors",
    "agent": "context",
    "capture": "background",
    "configure": "configuration",
    "force_flush": "configuration",
    "identify": "context",
    "instrument": "instrumentation",
    "instrument_client": "instrumentation",
    "shutdown": "configuration",
    "spawn": "background",
    "uninstrument": "instrumentation",
    "workflow": "context",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'otel_llm' has no attribute {name!r}")
    value = getattr(import_module(f"otel_llm.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
