"""Test doubles that ship: an in-memory sink of spans, and servers on loopback that stand in for what tests cannot have.

``SpanSink`` keeps spans; ``FakeProvider`` speaks as LLM vendors do; ``FakeLangfuse`` stores what a Langfuse server would;
``FakeInsForge`` answers as InsForge's records API does. They are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_llm.testing.insforge import FakeInsForge
    from otel_llm.testing.langfuse import FakeLangfuse
    from otel_llm.testing.provider import Exchange, FakeProvider, Reply, ToolCall
    from otel_llm.testing.sink import SpanSink

__all__ = ["Exchange", "FakeInsForge", "FakeLangfuse", "FakeProvider", "Reply", "SpanSink", "ToolCall"]

_HOME = {
    "Exchange": "provider",
    "FakeInsForge": "insforge",
    "FakeLangfuse": "langfuse",
    "FakeProvider": "provider",
    "Reply": "provider",
    "SpanSink": "sink",
    "ToolCall": "provider",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'otel_llm.testing' has no attribute {name!r}")
    return getattr(import_module(f"otel_llm.testing.{home}"), name)
