"""What is above a span that starts: in this process, in the one that handed its work over, or nothing that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanContext, format_span_id, format_trace_id

from otel_llm import ancestry
from otel_llm import semconv as sc
from otel_llm.ancestry import Node
from otel_llm.identity import Identity, enclosing


class Above(NamedTuple):
    """The node above, if any; whether that is all there is to know; and the attributes of the nearest span that records."""

    node: Node | None
    is_known: bool
    attributes: Mapping[str, Any]


def what_is_above(parent: Span, identity: Identity, context: Context) -> Above:
    """What is above a child of ``parent``."""
    its = parent.get_span_context()
    if not its.is_valid:
        return Above(None, True, {})
    attributes = attributes_of(parent)
    node = ancestry.node_of(its)
    if node is not None:
        return Above(node, True, attributes)
    if isinstance(parent, ReadableSpan):
        return Above(_unlisted(parent), True, attributes)
    if identity.ancestor is not None and identity.captured_at == place_of(its):
        return Above(_elsewhere(identity.ancestor, its), True, {})
    if not its.trace_flags.sampled:
        return _beyond_unsampled(its, identity, context)
    # A parent that is neither of this process nor handed over by otel-llm: named by its id, or come with a request.
    return Above(None, False, {}) if its.is_remote else Above(ancestry.elsewhere(its.span_id, its), True, {})


def ancestor_stamp(parent: Span, above: Above, found: Node | None) -> str | None:
    """Span id of the nearest GenAI span ``found`` above, "" for none.

    None where it is the direct parent itself, or nothing is known of that.
    """
    its = parent.get_span_context()
    if not its.is_valid or (above.node is None and not above.is_known):
        return None
    if found is None:
        return ""
    # What is stamped for a remote parent tells it from one that came with a request and is not known to be received.
    return None if found.context.span_id == its.span_id and not its.is_remote else format_span_id(found.context.span_id)


def nearest(node: Node) -> Node | None:
    """``node`` itself or the nearest node above that is a GenAI span and goes to destinations."""
    if node.is_received and node.is_genai:
        return node
    return next((higher for higher in node.upwards() if higher.is_genai), None)


def attributes_of(span: Span) -> Mapping[str, Any]:
    """The attributes of a span that records; none of others."""
    return (span.attributes or {}) if isinstance(span, ReadableSpan) else {}


def place_of(context: SpanContext) -> str:
    """Trace id and span id, as hex digits."""
    return format_trace_id(context.trace_id) + format_span_id(context.span_id)


def _beyond_unsampled(its: SpanContext, identity: Identity, context: Context) -> Above:
    """A span that is not sampled knows nothing of what is above it; the agent or workflow that the work is inside of does."""
    around = enclosing(context)
    if around is not None and around.get_span_context().trace_id == its.trace_id:
        return Above(ancestry.node_of(around.get_span_context()), True, attributes_of(around))
    if identity.ancestor is not None and (identity.captured_at or "").startswith(format_trace_id(its.trace_id)):
        return Above(_elsewhere(identity.ancestor, its), True, {})
    return Above(None, True, {})


def _unlisted(span: ReadableSpan) -> Node:
    """A span that has been forgotten, or is of a provider whose spans are not stamped: by its stamps, else by its parent."""
    node = ancestry.unlisted(span)
    stamp = (span.attributes or {}).get(sc.ANCESTOR_ID)
    if isinstance(stamp, str) and span.context is not None:
        node.above = _elsewhere(stamp, span.context)
    elif span.parent is not None and not span.parent.is_remote:
        node.above = ancestry.node_of(span.parent) or ancestry.elsewhere(span.parent.span_id, span.parent)
    node.above_is_known = True
    return node


def _elsewhere(stamp: str, beside: SpanContext) -> Node | None:
    """The node of a stamped id; None for none."""
    try:
        span_id = int(stamp, 16)
    except ValueError:
        return None
    if not span_id:
        return None
    return ancestry.node_of(SpanContext(beside.trace_id, span_id, is_remote=False)) or ancestry.elsewhere(span_id, beside)
