"""The legacy tables straight in a database, for an InsForge whose PostgreSQL can be reached, or as a local SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from otel_llm.delivery import Delivered, Outcome
from otel_llm.errors import DeliveryError
from otel_llm_insforge.batches import by_table
from otel_llm_insforge.database import migrate
from otel_llm_insforge.rows import KEYS, Row, read_row
from otel_llm_insforge.sql_errors import classify_sql, reason_of
from otel_llm_insforge.tables import LEGACY

_IDS_PER_STATEMENT: Final = 500


class SqlStore:
    """Inserts with ``ON CONFLICT DO NOTHING``, one transaction a batch."""

    def __init__(self, engine: sa.Engine, *, create_tables: bool) -> None:
        self._engine = engine
        self._tables_due = create_tables

    @property
    def address(self) -> str:
        """The database's URL, its password hidden."""
        return self._engine.url.render_as_string(hide_password=True)

    def insert(self, rows: Sequence[Row], *, timeout_s: float) -> Outcome:
        """Insert what is not there yet; all or nothing."""
        try:
            with suppress_instrumentation():
                self._create_tables()
                with self._engine.begin() as connection:
                    self._bound(connection, timeout_s)
                    new = sum(self._insert(connection, table, found) for table, found in by_table(rows))
        except (SQLAlchemyError, OSError) as error:
            return classify_sql(error)
        return Delivered(duplicates=max(0, len(rows) - new))

    def _insert(self, connection: sa.Connection, table: str, rows: Sequence[Row]) -> int:
        """How many of the rows were new."""
        dialect: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(LEGACY[table]).on_conflict_do_nothing(index_elements=[KEYS[table]])
        return (
            connection.execution_options(preserve_rowcount=True)
            .execute(statement, [dict(row.columns) for row in rows])
            .rowcount
        )

    def _bound(self, connection: sa.Connection, timeout_s: float) -> None:
        if self._engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(timeout_s * 1000))}")

    def _create_tables(self) -> None:
        if self._tables_due:
            migrate(self._engine)
            self._tables_due = False

    def read_traces(self, table: str, trace_ids: Sequence[str]) -> Iterator[Row]:
        """The rows with these ``trace_id`` values."""
        for first in range(0, len(trace_ids), _IDS_PER_STATEMENT):
            chunk = trace_ids[first : first + _IDS_PER_STATEMENT]
            yield from self._select(table, LEGACY[table].c.trace_id.in_(chunk))

    def read_between(self, table: str, start: str, end: str) -> Iterator[Row]:
        """The rows with ``start <= start_time < end``."""
        column = LEGACY[table].c.start_time
        yield from self._select(table, sa.and_(column >= start, column < end))

    def _select(self, table: str, condition: sa.ColumnElement[bool]) -> Iterator[Row]:
        legacy = LEGACY[table]
        with self._reading(table) as connection:
            for stored in connection.execute(sa.select(legacy).where(condition).order_by(legacy.c.id)).mappings():
                yield read_row(table, dict(stored))

    def count(self, table: str) -> int:
        """The number of rows."""
        with self._reading(table) as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(LEGACY[table])).scalar_one()

    @contextmanager
    def _reading(self, table: str) -> Iterator[sa.Connection]:
        try:
            with suppress_instrumentation():
                self._create_tables()
                with self._engine.connect() as connection:
                    yield connection
        except (SQLAlchemyError, OSError) as error:
            raise DeliveryError(f"{table} cannot be read: {reason_of(error)}") from error

    def close(self) -> None:
        """Forget the engine's connections."""
        self._engine.dispose()
