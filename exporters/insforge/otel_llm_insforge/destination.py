"""The destination of the legacy tables: spans in, rows out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.delivery import Limits, Outcome, Parity, Split
from otel_llm.delivery.deferring import as_deferred, deferred, encoded
from otel_llm_insforge.batches import MAX_BYTES, MAX_ROWS
from otel_llm_insforge.ids import trace_uuid
from otel_llm_insforge.mapping import MappingOptions, map_span
from otel_llm_insforge.parity import compare
from otel_llm_insforge.rows import TABLES, decode_rows, encode_rows
from otel_llm_insforge.store import Store

_DEFAULTS: Final = MappingOptions()


class LegacyDestination:
    """Keeps ``pipeline_traces`` and ``pipeline_spans`` filled, in a store reached through InsForge or by SQL.

    Each row is written under an id made from its span's, and only if it is not there: any batch may be sent again, in whole or in
    part, before or after a crash, without a second row.
    """

    name = "insforge"
    limits = Limits(max_records=MAX_ROWS, max_bytes=MAX_BYTES)

    def __init__(self, store: Store, options: MappingOptions = _DEFAULTS) -> None:
        self._store = store
        self._options = options

    @property
    def spool_key(self) -> str:
        """The tables, by their address: what waits on disk for them is sent to no others."""
        return self._store.address

    def encode(self, span: ReadableSpan) -> bytes | None:
        """The rows of one ended span as JSON lines; None for a span that has none."""
        return encode_rows(map_span(span, self._options)) or None

    def defer(self, span: ReadableSpan) -> bytes | None:
        """The span as it is, but for content that rows are not to have; None for a span outside the conventions, which has no row."""
        if not sc.is_genai(span.attributes or {}):
            return as_deferred(self.encode(span))
        return deferred(span, self._options.content, self.encode)

    def encode_deferred(self, deferred: bytes) -> bytes | None:
        """The same as :meth:`encode`. Raises ValueError for what :meth:`defer` did not give."""
        return encoded(deferred, self.encode)

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """Insert the rows of these records."""
        try:
            rows = [row for record in records for row in decode_rows(record)]
        except ValueError:
            return Split("a record is not that of a legacy row")
        return self._store.insert(rows, timeout_s=timeout_s)

    def compare(self, observations: Iterable[Mapping[str, Any]], trace_ids: Sequence[str] | None = None) -> Parity:
        """Compare the tables with Langfuse's observations of the same traces (32 hex digits each) or the same time window.

        ``missing`` and ``different`` hold observation ids; for a pipeline that Langfuse has nothing of, its trace id. Raises
        DeliveryError if the tables cannot be read.
        """
        return compare(self._store, observations, trace_ids, self._options.span_names)

    def row_counts(self, trace_ids: Sequence[str] | None = None) -> Mapping[str, int]:
        """Number of rows by table, in all or of the first pipelines of these traces (32 hex digits each). Raises DeliveryError."""
        if trace_ids is None:
            return {table: self._store.count(table) for table in TABLES}
        ids = sorted(trace_uuid(int(trace_id, 16)) for trace_id in trace_ids)
        return {table: sum(1 for _ in self._store.read_traces(table, ids)) for table in TABLES}

    def close(self) -> None:
        """Release connections."""
        self._store.close()
