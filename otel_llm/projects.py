"""Which project a span is meant for, where a process sends to several: by the context, by who made it, or as the span above it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc

#: Public key of a Langfuse project -> its name here.
_projects: dict[str, str] = {}
#: Langfuse's own SDK keeps one client for each key, and tells the key on the scope of the client's spans.
_CLIENT_SCOPE = "langfuse-sdk"


def name_project(public_key: str, project: str) -> None:
    """Let spans that a client with this key makes, and those below them, belong to ``project``."""
    _projects[public_key] = project


def client_key(span: ReadableSpan) -> str | None:
    """Public key of the client of Langfuse's SDK that made ``span``; None for spans of others."""
    scope = span.instrumentation_scope
    if scope is None or scope.name != _CLIENT_SCOPE:
        return None
    return _text((scope.attributes or {}).get("public_key"))


def named_project(attributes: Mapping[str, Any] | None) -> str | None:
    """The project that the attributes of a span or of a resource name."""
    return _text((attributes or {}).get(sc.PROJECT))


def project_of(span: ReadableSpan, identified: str | None, above: Mapping[str, Any]) -> str | None:
    """The project of a span that starts: its own, the one that the context names, its client's, or that of the span above."""
    return named_project(span.attributes) or identified or _project_of_client(span) or named_project(above)


def _project_of_client(span: ReadableSpan) -> str | None:
    key = client_key(span) if _projects else None
    return None if key is None else _projects.get(key)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
