"""The interface to whatever holds the legacy tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from otel_llm.delivery import Outcome
from otel_llm_insforge.rows import Row


class Store(Protocol):
    """The legacy tables, through InsForge or straight in a database."""

    @property
    def address(self) -> str:
        """Where the tables are, without a secret."""

    def insert(self, rows: Sequence[Row], *, timeout_s: float) -> Outcome:
        """Insert the rows that are not there yet, in any state of the batch before; never raises."""

    def read_traces(self, table: str, trace_ids: Sequence[str]) -> Iterator[Row]:
        """The rows with these ``trace_id`` values. Raises DeliveryError."""

    def read_between(self, table: str, start: str, end: str) -> Iterator[Row]:
        """The rows with ``start <= start_time < end`` (in the form of the rows). Raises DeliveryError."""

    def count(self, table: str) -> int:
        """The number of rows. Raises DeliveryError."""

    def close(self) -> None:
        """Release connections."""
