"""A fake Langfuse server, held to what Langfuse 4.16.0 was measured to store."""

from __future__ import annotations

from otel_llm.testing.langfuse.media_api import MediaLink, StoredMedia
from otel_llm.testing.langfuse.server import ExportRequest, FakeLangfuse

__all__ = ["ExportRequest", "FakeLangfuse", "MediaLink", "StoredMedia"]
