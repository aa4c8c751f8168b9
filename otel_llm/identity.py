"""Who work is done for: kept in the OpenTelemetry context, never in baggage, so that it is sent to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

_IDENTITY = otel_context.create_key("otel_llm.identity")
_LINK = otel_context.create_key("otel_llm.link")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The pipeline that work belongs to: its name, its root's span id (16 hex digits), and whether it is the first of its trace."""

    name: str
    span_id: str
    primary: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """Who work is done for, and by which agent."""

    user_id: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    agent: str | None = None
    #: Set only where the spans above are out of reach: in another process, or behind a queue.
    pipeline: Pipeline | None = None
    #: Likewise: span id of the nearest GenAI span above; "" for none, None for unknown.
    ancestor: str | None = None


def current_identity(context: Context | None = None) -> Identity:
    """The identity in ``context``, or in the current one; an empty one if none was set."""
    value = otel_context.get_value(_IDENTITY, context)
    return value if isinstance(value, Identity) else _NOBODY


_NOBODY = Identity()


def with_identity(identity: Identity, context: Context | None = None) -> Context:
    """``context`` with another identity."""
    return otel_context.set_value(_IDENTITY, identity, context)


def extended(
    base: Identity,
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    agent: str | None = None,
) -> Identity:
    """``base`` with what is given put over it: ids replaced, tags added, metadata merged. Values become strings."""
    added = [str(tag) for tag in ((tags,) if isinstance(tags, str) else tags)]
    return replace(
        base,
        user_id=base.user_id if user_id is None else str(user_id),
        session_id=base.session_id if session_id is None else str(session_id),
        tags=tuple(dict.fromkeys([*base.tags, *added])),
        metadata={**base.metadata, **{str(key): str(value) for key, value in (metadata or {}).items()}},
        agent=agent or base.agent,
    )


def with_link(target: SpanContext, context: Context | None = None) -> Context:
    """``context`` in which the next root span gets a link to ``target``."""
    return otel_context.set_value(_LINK, target, context)


def pending_link(context: Context | None = None) -> SpanContext | None:
    """What the next root span in ``context`` is to be linked to."""
    value = otel_context.get_value(_LINK, context)
    return value if isinstance(value, SpanContext) else None
