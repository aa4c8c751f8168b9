"""Keeps the legacy tables ``pipeline_traces`` and ``pipeline_spans`` filled during a migration, through InsForge or straight in SQL.

What needs SQLAlchemy is loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel_llm_insforge.configure import InsForgeExporter, from_environment
from otel_llm_insforge.destination import LegacyDestination
from otel_llm_insforge.mapping import MappingOptions, map_span
from otel_llm_insforge.rest import RestStore
from otel_llm_insforge.rows import Row

if TYPE_CHECKING:
    from otel_llm_insforge.database import create_engine, migrate, parse_url
    from otel_llm_insforge.sql import SqlStore

__all__ = [
    "InsForgeExporter",
    "LegacyDestination",
    "MappingOptions",
    "RestStore",
    "Row",
    "SqlStore",
    "create_engine",
    "from_environment",
    "map_span",
    "migrate",
    "parse_url",
]

_HOME = {"SqlStore": "sql", "create_engine": "database", "migrate": "database", "parse_url": "database"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'otel_llm_insforge' has no attribute {name!r}")
    return getattr(import_module(f"otel_llm_insforge.{_HOME[name]}"), name)
