"""Comparison of the legacy tables with Langfuse, before the legacy tables are given up.

Both were written from the same spans, so ids join them: the last 16 hex digits of a ``span_id`` are the observation's id. A pipeline's
root is an observation in Langfuse and a row of ``pipeline_traces`` here. The comparison passes if each legacy row is in Langfuse and
each observation that belongs into the legacy tables is there. Parents are not compared: the old writer mixed them up between agents
that run in parallel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from otel_llm.delivery import Parity
from otel_llm_insforge.agreement import agree
from otel_llm_insforge.ids import otel_span_id, otel_trace_id, span_uuid, trace_uuid
from otel_llm_insforge.observations import Observation, epoch_ms, parse_observations
from otel_llm_insforge.rows import SPANS, TABLES, TRACES, Row, iso
from otel_llm_insforge.store import Store

OUTSIDE: Final = "outside any pipeline"
NEVER_LEGACY: Final = "of a type that the legacy tables never had"
OLD_WRITER: Final = "written by the old tracing"
UNREADABLE: Final = "without the ids and times of an OpenTelemetry span"

_NEVER_LEGACY_TYPES: Final = {"", "SPAN", "EVENT", "EVALUATOR", "GUARDRAIL"}


@dataclass(frozen=True, slots=True)
class _Window:
    """Start times from ``first_ms`` to ``last_ms``, both included."""

    first_ms: int
    last_ms: int

    def holds(self, row: Row) -> bool:
        return self.first_ms <= epoch_ms(row.columns["start_time"]) <= self.last_ms


def compare(
    store: Store,
    observations: Iterable[Mapping[str, Any]],
    trace_ids: Sequence[str] | None = None,
    span_names: Mapping[str, str] | None = None,
) -> Parity:
    """Compare a store's rows with observations: of the same traces, or if ``trace_ids`` is None all of the observations' time window.

    Raises DeliveryError if the rows cannot be read.
    """
    seen, unreadable = parse_observations(observations)
    traces = {item.trace_id for item in seen.values()}
    window = None
    if trace_ids is not None:
        traces = {trace_id.replace("-", "").lower() for trace_id in trace_ids}
        seen = {key: item for key, item in seen.items() if item.trace_id in traces}
    elif seen:
        starts = [item.start_ms for item in seen.values()]
        window = _Window(min(starts), max(starts))
    rows = _read(store, seen.values(), traces, window)
    joined = _join(seen, rows)
    excluded, absent = _absent_rows(seen, joined, rows)
    unwanted, lonely = _lonely_rows(rows, seen, joined, traces, window)
    excluded.update({OLD_WRITER: unwanted, UNREADABLE: unreadable})
    return Parity(
        compared=len(joined),
        missing=tuple(sorted(absent + lonely)),
        different=tuple(sorted(seen[key].id for key, row in joined.items() if not agree(seen[key], row, span_names or {}))),
        excluded={reason: count for reason, count in excluded.items() if count},
    )


def _read(store: Store, seen: Collection[Observation], traces: Iterable[str], window: _Window | None) -> list[Row]:
    """The rows of these traces, further pipelines in them included, and of the window."""
    ids = {trace_uuid(int(trace, 16)) for trace in traces} | {item.identity for item in seen if item.opens_pipelines}
    rows = {(row.table, row.key): row for table in TABLES for row in store.read_traces(table, sorted(ids))}
    if window is not None:
        start, end = _text(window.first_ms), _text(window.last_ms + 1)
        rows |= {(row.table, row.key): row for table in TABLES for row in store.read_between(table, start, end)}
    return list(rows.values())


def _join(seen: Mapping[str, Observation], rows: Iterable[Row]) -> dict[str, Row]:
    """Identity of an observation -> its row: a span row by its id, else the trace row of the pipeline whose root it is."""
    rows = list(rows)
    joined = {key: row for row in rows if row.table == SPANS and (key := _identity(row)) in seen}
    traces = {row.key: row for row in rows if row.table == TRACES}
    roots = [item for item in seen.values() if item.opens_pipelines and item.identity not in joined]
    for root in sorted(roots, key=lambda item: item.start_ms):
        shared = trace_uuid(int(root.trace_id, 16))
        row = traces.pop(root.identity, None) or (traces.pop(shared) if _is_first(root, traces.get(shared), roots) else None)
        if row is not None:
            joined[root.identity] = row
    return joined


def _identity(row: Row) -> str:
    """A span row's id behind the first half of its trace id: its own id, but for rows of the old tracing."""
    return span_uuid(int(otel_trace_id(row.columns["trace_id"]), 16), otel_span_id(row.key))


def _is_first(root: Observation, row: Row | None, roots: Iterable[Observation]) -> bool:
    """Whether ``row``, a trace row by trace id alone, is that of ``root``: the row does not name its span, its start does."""
    if row is None:
        return False
    start = epoch_ms(row.columns["start_time"])
    rivals = [item for item in roots if item.trace_id == root.trace_id and item is not root]
    return root.start_ms == start or not any(item.start_ms == start for item in rivals)


def _absent_rows(
    seen: Mapping[str, Observation], joined: Mapping[str, Row], rows: Iterable[Row]
) -> tuple[Counter[str], list[str]]:
    """Observations without a row: counts of those that rightly have none, by reason, and ids of the others."""
    stored = {otel_trace_id(row.columns["trace_id"])[:16] for row in rows}
    excluded: Counter[str] = Counter()
    absent = []
    for item in seen.values():
        if item.identity in joined:
            continue
        if item.kind is None and item.type in _NEVER_LEGACY_TYPES:
            excluded[NEVER_LEGACY] += 1
        elif not _in_pipeline(item, seen, stored):
            excluded[OUTSIDE] += 1
        else:
            absent.append(item.id)
    return excluded, absent


def _in_pipeline(item: Observation, seen: Mapping[str, Observation], stored: Collection[str]) -> bool:
    """Whether an agent or a workflow is at or above ``item``; beyond what was observed, whether its trace has rows at all."""
    passed: set[str] = set()
    while not item.opens_pipelines:
        passed.add(item.identity)
        above = item.parent_identity
        if above is None or above in passed:
            return False
        if above not in seen:
            return item.trace_id[:16] in stored
        item = seen[above]
    return True


def _lonely_rows(
    rows: Collection[Row],
    seen: Mapping[str, Observation],
    joined: Mapping[str, Row],
    traces: Collection[str],
    window: _Window | None,
) -> tuple[int, list[str]]:
    """Rows without an observation: the number of those by the old tracing, and ids of the others (of a root: its trace id)."""
    accounted = {(row.table, row.key) for row in joined.values()} | set(_synthesised(seen[key] for key in joined))
    beginnings, new = {trace[:16] for trace in traces}, _traces_of_new_spans(rows)
    old, lonely = 0, []
    for row in rows:
        if (row.table, row.key) in accounted or (window is not None and not window.holds(row)):
            continue
        trace_id = row.columns["trace_id"]
        asked_for = otel_trace_id(trace_id)[:16] in beginnings
        if not asked_for and trace_id not in new and UUID(trace_id).version == 4:
            old += 1
        else:
            lonely.append(otel_span_id(row.key) if row.table == SPANS else otel_trace_id(trace_id))
    return old, lonely


def _traces_of_new_spans(rows: Iterable[Row]) -> set[str]:
    """``trace_id`` values with spans of ours, whose ids begin like it; the old tracing made both at random."""
    return {row.columns["trace_id"] for row in rows if row.table == SPANS and row.key == _identity(row)}


def _synthesised(tops: Iterable[Observation]) -> Iterator[tuple[str, str]]:
    """Trace rows that calls outside any pipeline may have beside their span rows (``orphans="synthesize"``)."""
    for item in tops:
        yield TRACES, item.identity
        if item.parent_id is None:
            yield TRACES, trace_uuid(int(item.trace_id, 16))


def _text(epoch: int) -> str:
    return iso(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=epoch))
