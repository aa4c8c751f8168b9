"""A loopback stand-in for LLM vendors, in their own dialects: scripted, replayed, or made up from the request."""

from __future__ import annotations

from otel_llm.testing.provider.exchange import Exchange
from otel_llm.testing.provider.fake import FakeProvider
from otel_llm.testing.provider.reply import Reply, ToolCall

__all__ = ["Exchange", "FakeProvider", "Reply", "ToolCall"]
