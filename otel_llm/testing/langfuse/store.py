"""What the server has stored, with the rules by which repeated writes of a span meet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from otel_llm.testing.langfuse import trace
from otel_llm.testing.langfuse.legacy_trace import TraceEvent, merge, trace_event
from otel_llm.testing.langfuse.media import upload
from otel_llm.testing.langfuse.rows import Row, direct_row, dual_row
from otel_llm.testing.langfuse.spans import Span

WritePath = Literal["direct", "dual"]

#: Fields of a legacy observation that a later write cannot change.
_IMMUTABLE: Final = ("start_time", "trace_id", "environment")


class Store:
    """Both sets of tables. Rows of the direct path are made when they are first read, which keeps ingestion cheap."""

    def __init__(self, *, keep_rows: bool, media_upload: bool) -> None:
        self._keep_rows = keep_rows
        self._finish: Callable[[Row], Row] = upload if media_upload else lambda row: row
        self._changed = threading.Condition()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._direct: dict[tuple[str, str, int], Span | Row] = {}
            self._dual: dict[tuple[str, int, str], Row] = {}
            self._trace_events: dict[str, list[TraceEvent]] = {}
            self._rejected: list[dict[str, Any]] = []
            self._arrivals: Counter[str] = Counter()

    def write(self, spans: Iterable[Span], path: WritePath) -> None:
        """Take the spans of one accepted request."""
        write = self._write_direct if path == "direct" else self._write_dual
        with self._changed:
            for span in spans:
                self._arrivals[span.span_id] += 1
                if self._keep_rows:
                    write(span)
            self._changed.notify_all()

    def _write_direct(self, span: Span) -> None:
        """Same trace, span and start time: the last write replaces the row as a whole. Another start time: another row."""
        self._direct[span.trace_id, span.span_id, span.start_ms] = span

    def _write_dual(self, span: Span) -> None:
        """Same type, day and id: merged field by field."""
        event = trace_event(span)
        if event.why:
            self._rejected.append({"what": "trace", "why": event.why})
        else:
            self._trace_events.setdefault(span.trace_id, []).append(event)
        row, why = dual_row(span)
        if row is None:
            self._rejected.append({"what": "observation", "why": why})
            return
        key = row["type"], span.start_ms // 86_400_000, span.span_id
        known = self._dual.get(key, {})
        self._dual[key] = known | self._finish(row) | {name: known[name] for name in _IMMUTABLE if name in known}

    def observations(self) -> list[Row]:
        """Rows of both paths, those of the direct one first, in the order of their first write."""
        with self._changed:
            return [*self._direct_rows(), *self._dual.values()]

    def traces(self) -> list[Row]:
        """Traces of the direct path as they are read, and trace rows of the dual path."""
        with self._changed:
            return [
                *trace.aggregate(self._direct_rows()),
                *(self._finish(merge(events)) for events in self._trace_events.values()),
            ]

    def _direct_rows(self) -> list[Row]:
        rows = []
        for key, stored in self._direct.items():
            row = self._finish(direct_row(stored)) if isinstance(stored, Span) else stored
            self._direct[key] = row
            rows.append(row)
        return rows

    def rejected(self) -> list[dict[str, Any]]:
        """What the strict schema of the dual path dropped."""
        with self._changed:
            return list(self._rejected)

    def arrivals(self) -> Counter[str]:
        """How often each span id arrived, before anything was merged or dropped."""
        with self._changed:
            return Counter(self._arrivals)

    def wait(self, enough: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds; it is asked after each write."""
        with self._changed:
            return self._changed.wait_for(enough, timeout_s)

    def count(self) -> int:
        """Number of rows; without rows, the number of different spans."""
        return len(self._direct) + len(self._dual) if self._keep_rows else len(self._arrivals)
