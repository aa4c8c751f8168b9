"""A test double of InsForge's database records API, as measured of InsForge 2.3.1 with PostgREST 12.2."""

from __future__ import annotations

from otel_llm.testing.insforge.schema import NOW, SERIAL, Column
from otel_llm.testing.insforge.server import FakeInsForge

__all__ = ["NOW", "SERIAL", "Column", "FakeInsForge"]
