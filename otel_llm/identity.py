"""Who work is done for: kept in the OpenTelemetry context, never in baggage, so that it is sent to nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext
from opentelemetry.util.types import AttributeValue

_logger = logging.getLogger(__name__)
_IDENTITY = otel_context.create_key("otel_llm.identity")
_LINK = otel_context.create_key("otel_llm.link")
_ENCLOSING = otel_context.create_key("otel_llm.enclosing")


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
    #: Key of the Langfuse project that the spans are meant for.
    project: str | None = None
    #: Name and version of the managed prompt that calls are made with.
    prompt: tuple[str, int] | None = None
    #: What else every span is to say, in a vocabulary of those who told it.
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    #: Set only where the spans above are out of reach: in another process, or behind a queue.
    pipeline: Pipeline | None = None
    #: Likewise: span id of the nearest GenAI span above; "" for none, None for unknown.
    ancestor: str | None = None
    #: Trace id and span id (48 hex digits) of the span below which ``ancestor`` holds.
    captured_at: str | None = None


#: Who else knows for whom work is done: functions of the context whose result fills what our own identity does not say. Its keys are
#: ``user_id``, ``session_id``, ``tags``, ``metadata``, ``project`` and ``prompt``, each as :func:`otel_llm.identify` takes it, and
#: ``attributes``, by name.
Source: TypeAlias = Callable[[Context], Mapping[str, Any]]
sources: Final[list[Source]] = []


def current_identity(context: Context | None = None) -> Identity:
    """The identity in ``context``, or in the current one; an empty one if none was set."""
    value = otel_context.get_value(_IDENTITY, context)
    return value if isinstance(value, Identity) else _NOBODY


_NOBODY = Identity()


def whole_identity(context: Context) -> Identity:
    """The identity in ``context``, and where it says nothing, what :data:`sources` say. A source that fails is passed over."""
    identity = current_identity(context)
    for source in sources:
        try:
            identity = _filled(identity, source(context))
        except Exception:
            _logger.exception("A source of identity failed; spans do without what it would have said")
    return identity


def _filled(identity: Identity, found: Mapping[str, Any]) -> Identity:
    theirs = extended(_NOBODY, **{name: found[name] for name in _FROM_SOURCES if name in found})
    return replace(
        identity,
        user_id=theirs.user_id if identity.user_id is None else identity.user_id,
        session_id=theirs.session_id if identity.session_id is None else identity.session_id,
        tags=identity.tags or theirs.tags,
        metadata={**theirs.metadata, **identity.metadata},
        project=identity.project or theirs.project,
        prompt=identity.prompt or theirs.prompt,
        attributes={**found.get("attributes", {}), **identity.attributes},
    )


_FROM_SOURCES: Final = ("user_id", "session_id", "tags", "metadata", "project", "prompt")


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
    project: str | None = None,
    prompt: object = None,
) -> Identity:
    """``base`` with what is given put over it: ids, project and prompt replaced, tags added, metadata merged. Values become strings."""
    added = [str(tag) for tag in ((tags,) if isinstance(tags, str) else tags)]
    return replace(
        base,
        user_id=base.user_id if user_id is None else str(user_id),
        session_id=base.session_id if session_id is None else str(session_id),
        tags=tuple(dict.fromkeys([*base.tags, *added])),
        metadata={**base.metadata, **{str(key): str(value) for key, value in (metadata or {}).items()}},
        agent=agent or base.agent,
        project=base.project if project is None else str(project),
        prompt=base.prompt if prompt is None else _managed(prompt),
    )


def _managed(prompt: object) -> tuple[str, int] | None:
    """Name and version; None for a fallback, which is no version of anything, and for a version that is no number."""
    if getattr(prompt, "is_fallback", False):
        return None
    pair = prompt if isinstance(prompt, tuple | list) else (getattr(prompt, "name", None), getattr(prompt, "version", None))
    if len(pair) != 2:
        return None
    name, version = pair
    if not isinstance(name, str) or not name or not isinstance(version, int) or isinstance(version, bool):
        return None
    return name, version


def with_link(target: SpanContext, context: Context | None = None) -> Context:
    """``context`` in which the next root span gets a link to ``target``."""
    return otel_context.set_value(_LINK, target, context)


def pending_link(context: Context | None = None) -> SpanContext | None:
    """What the next root span in ``context`` is to be linked to."""
    value = otel_context.get_value(_LINK, context)
    return value if isinstance(value, SpanContext) else None


def inside(span: Span, context: Context | None = None) -> Context:
    """``context`` of work inside ``span``, to be found there also below spans that are not sampled and know nothing."""
    return otel_context.set_value(_ENCLOSING, span, context)


def enclosing(context: Context | None = None) -> Span | None:
    """The innermost agent or workflow of this process that the work in ``context`` is inside of."""
    value = otel_context.get_value(_ENCLOSING, context)
    return value if isinstance(value, Span) else None
