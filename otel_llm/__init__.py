"""OpenTelemetry-native tracing of LLM calls: recorded on the wire, delivered to Langfuse and, during a migration, to legacy tables.

The names below are the public surface. They are loaded when first used, so that ``import otel_llm`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel_llm.version import __version__

if TYPE_CHECKING:
    from otel_llm.background import spawn, worker
    from otel_llm.binding import ContextExecutor, bind
    from otel_llm.carriers import Carrier, capture
    from otel_llm.client.llm import LLM
    from otel_llm.client.reply import Reply
    from otel_llm.client.services import Service
    from otel_llm.configuration import configure, force_flush, shutdown
    from otel_llm.content import CaptureMode
    from otel_llm.context import agent, identify, workflow
    from otel_llm.errors import ConfigurationError, DeliveryError, LLMError, MissingExtraError, OtelLLMError
    from otel_llm.headers import extract, inject
    from otel_llm.heartbeats import heartbeat
    from otel_llm.instrumentation import LLMInstrumentor, instrument, instrument_client, uninstrument
    from otel_llm.lifecycle import lifespan, shutdown_on_signals
    from otel_llm.models.choice import ModelChoice
    from otel_llm.models.resolver import ModelResolver
    from otel_llm.parcels import Parcel, parcel
    from otel_llm.pipeline.pipeline import Pipeline
    from otel_llm.pipeline.step import Step
    from otel_llm.processor import ContextProcessor
    from otel_llm.streaming import stream
    from otel_llm.tooling import tool

__all__ = [
    "LLM",
    "CaptureMode",
    "Carrier",
    "ConfigurationError",
    "ContextExecutor",
    "ContextProcessor",
    "DeliveryError",
    "LLMError",
    "LLMInstrumentor",
    "MissingExtraError",
    "ModelChoice",
    "ModelResolver",
    "OtelLLMError",
    "Parcel",
    "Pipeline",
    "Reply",
    "Service",
    "Step",
    "__version__",
    "agent",
    "bind",
    "capture",
    "configure",
    "extract",
    "force_flush",
    "heartbeat",
    "identify",
    "inject",
    "instrument",
    "instrument_client",
    "lifespan",
    "parcel",
    "shutdown",
    "shutdown_on_signals",
    "spawn",
    "stream",
    "tool",
    "uninstrument",
    "worker",
    "workflow",
]

_HOME = {
    "CaptureMode": "content",
    "Carrier": "carriers",
    "ConfigurationError": "errors",
    "ContextExecutor": "binding",
    "ContextProcessor": "processor",
    "DeliveryError": "errors",
    "LLM": "client.llm",
    "LLMError": "errors",
    "LLMInstrumentor": "instrumentation",
    "MissingExtraError": "errors",
    "ModelChoice": "models.choice",
    "ModelResolver": "models.resolver",
    "OtelLLMError": "errors",
    "Parcel": "parcels",
    "Pipeline": "pipeline.pipeline",
    "Step": "pipeline.step",
    "Reply": "client.reply",
    "Service": "client.services",
    "agent": "context",
    "bind": "binding",
    "capture": "carriers",
    "configure": "configuration",
    "extract": "headers",
    "force_flush": "configuration",
    "heartbeat": "heartbeats",
    "identify": "context",
    "inject": "headers",
    "instrument": "instrumentation",
    "instrument_client": "instrumentation",
    "lifespan": "lifecycle",
    "parcel": "parcels",
    "shutdown": "configuration",
    "shutdown_on_signals": "lifecycle",
    "spawn": "background",
    "stream": "streaming",
    "tool": "tooling",
    "uninstrument": "instrumentation",
    "worker": "background",
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
