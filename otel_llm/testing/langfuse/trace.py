"""What a span says about its trace: user, session, tags, environment and the like."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.spans import Span

Row = dict[str, Any]

TRACE_NAME: Final = "langfuse.trace.name"
_USER: Final = (
    "langfuse.user.id",
    "user.id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "ai.telemetry.metadata.userId",
)
_SESSION: Final = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    "ai.telemetry.metadata.sessionId",
)
_TAGS: Final = (
    "langfuse.trace.tags",
    "langfuse.tags",
    "langfuse.observation.metadata.langfuse_tags",
    "langfuse.trace.metadata.langfuse_tags",
    "ai.telemetry.metadata.tags",
    "tag.tags",
)
_PUBLIC: Final = ("langfuse.trace.public", "langfuse.public")
_ENVIRONMENT: Final = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
_CLEAN_ENVIRONMENT: Final = re.compile(r"[a-z0-9_-]+")


def identity(span: Span) -> Row:
    """User, session, tags and visibility, in the fields of a row."""
    return {
        "user_id": span.first_text(*_USER),
        "session_id": span.first_text(*_SESSION),
        "tags": _tags(span.first(*_TAGS)),
        "public": next((span.attributes[name] in (True, "true") for name in _PUBLIC if name in span.attributes), False),
    }


def version(span: Span) -> Any:
    """The version as sent, of whatever type; None if absent."""
    return _sent(span, "langfuse.version", "service.version")


def release(span: Span) -> Any:
    """The release as sent, of whatever type; None if absent."""
    return _sent(span, "langfuse.release", "langfuse.release")


def is_app_root(span: Span) -> bool:
    """Whether the client marked the span as the root of its part of the trace."""
    return span.attributes.get("langfuse.internal.is_app_root") in (True, "true")


def environment(span: Span) -> str:
    """The environment by the server's rules: lower case, no ``langfuse`` in front, 40 characters, or else ``default``."""
    holders = (span.attributes, span.resource)
    sent = next((holder[name] for name in _ENVIRONMENT for holder in holders if javascript.truthy(holder.get(name))), "default")
    clean = re.sub(r"^langfuse[-_]", "", javascript.text(sent).lower())[:40]
    return clean if _CLEAN_ENVIRONMENT.fullmatch(clean) else "default"


def aggregate(rows: Iterable[Row]) -> list[Row]:
    """Traces as the direct path shows them: nothing is stored for a trace, it is put together from its rows when read.

    ``rows`` in the order of writing. Fields as in a row, and ``observations`` (their number), ``total_cost`` (USD) and
    ``level`` (the worst). Input, output and metadata come from rows without a parent only.
    """
    by_trace: dict[str, list[Row]] = {}
    for row in rows:
        by_trace.setdefault(row["trace_id"], []).append(row)
    return [{"trace_id": trace_id, **_trace(of_trace)} for trace_id, of_trace in by_trace.items()]


def _trace(rows: list[Row]) -> Row:
    roots = [row for row in rows if not row.get("parent_span_id")]
    named = [row for row in rows if not row.get("parent_span_id") or row.get("is_app_root")]
    usage: dict[str, int] = {}
    for row in rows:
        for bucket, count in row.get("usage_details", {}).items():
            usage[bucket] = usage.get(bucket, 0) + count
    trace = {
        "name": _latest(rows, "trace_name") or _latest(named, "name"),
        **{name: _latest(rows, name) for name in ("user_id", "session_id", "environment", "version", "release", "tags")},
        **{name: _latest(roots, name) for name in ("input", "output", "metadata")},
        "level": max((row["level"] for row in rows), key=("DEBUG", "DEFAULT", "WARNING", "ERROR").index),
        "public": any(row.get("public") for row in rows),
        "usage_details": usage,
        "start_time": min(row["start_time"] for row in rows),
        "end_time": max(row["end_time"] for row in rows),
    }
    totals = [row["cost_details"]["total"] for row in rows if "total" in row.get("cost_details", {})]
    present = {name: value for name, value in trace.items() if value not in (None, "", False, {}, [])}
    return {**present, "observations": len(rows), "total_cost": sum(totals)}


def _latest(rows: list[Row], name: str) -> Any:
    return next((row[name] for row in reversed(rows) if row.get(name)), None)


def _sent(span: Span, attribute: str, resource_attribute: str) -> Any:
    value = span.attributes.get(attribute)
    return span.resource.get(resource_attribute) if value is None else value


def _tags(sent: Any) -> list[str]:
    """A string array, the JSON text of one, or a comma list."""
    if isinstance(sent, str):
        decoded = javascript.parsed(sent) if sent.lstrip().startswith("[") else sent
        sent = decoded if isinstance(decoded, list) else [part.strip() for part in sent.split(",")]
    return [javascript.text(tag) for tag in sent] if isinstance(sent, list) else []
