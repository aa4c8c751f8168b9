"""Spans as trees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.cli.node import SpanNode, node_of
from otel_llm.local_span import StoredSpan, stored_span

#: Trace id and span id.
_Key: TypeAlias = tuple[str, str]
AnySpan: TypeAlias = ReadableSpan | StoredSpan


def tree_from_spans(spans: Iterable[AnySpan]) -> list[SpanNode]:
    """The GenAI spans among ``spans`` as trees, by start time; a span whose parent is not among them is a root.

    Spans outside the conventions are left out; what is below them hangs below the nearest GenAI span above.
    """
    stored = [span if isinstance(span, StoredSpan) else stored_span(span) for span in spans]
    by_id = {(span.trace_id, span.span_id): span for span in sorted(stored, key=lambda span: span.start_ns)}
    nodes = {key: node_of(span) for key, span in by_id.items() if sc.OPERATION_NAME in span.attributes}
    parents = {key: _parent_of(by_id[key], by_id, nodes) for key in nodes}
    roots = []
    for key, node in nodes.items():
        parent = parents[key]
        if parent is None or _is_above(key, parent, parents):
            parents[key] = None
            roots.append(node)
        else:
            nodes[parent].children.append(node)
    for root in roots:
        _inherit_agent(root)
    return roots


def calls_of(roots: Iterable[SpanNode]) -> list[SpanNode]:
    """The calls of models in these trees, by start time."""
    return sorted((node for root in roots for node in root.walk() if node.is_call), key=lambda node: node.started_ns)


def _parent_of(span: StoredSpan, by_id: Mapping[_Key, StoredSpan], nodes: Mapping[_Key, SpanNode]) -> _Key | None:
    """The nearest span above that is shown."""
    seen: set[_Key] = set()
    above = span
    while above.parent_id is not None:
        key = (span.trace_id, above.parent_id)
        if key in nodes:
            return key
        if key in seen or key not in by_id:
            return None
        seen.add(key)
        above = by_id[key]
    return None


def _is_above(key: _Key, below: _Key, parents: Mapping[_Key, _Key | None]) -> bool:
    """Whether ``key`` is ``below`` or above it, so that hanging it there would close a circle."""
    walker: _Key | None = below
    seen: set[_Key] = set()
    while walker is not None and walker not in seen:
        if walker == key:
            return True
        seen.add(walker)
        walker = parents[walker]
    return False


def _inherit_agent(node: SpanNode) -> None:
    for child in node.children:
        child.agent = child.agent or node.agent
        _inherit_agent(child)
