"""Inserts, upserts, updates and deletes of one table, all or nothing as PostgreSQL does them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from otel_llm.testing.insforge.errors import Refused, postgrest
from otel_llm.testing.insforge.filters import column_of
from otel_llm.testing.insforge.schema import SERIAL, Column, Table
from otel_llm.testing.insforge.values import as_json, default, stored

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Insert:
    """How rows are to be inserted."""

    #: None: take the rows' own keys, which must then be the same in all of them.
    columns: tuple[str, ...] | None = None
    resolution: Literal["merge-duplicates", "ignore-duplicates"] | None = None
    #: The unique column; None: the primary key.
    on_conflict: str | None = None
    #: Whether a key that a row lacks means the column's default rather than NULL.
    missing_is_default: bool = False


@dataclass(slots=True)
class Written:
    """The rows that a statement touched."""

    inserted: list[Row] = field(default_factory=list)
    updated: list[Row] = field(default_factory=list)


class _Index:
    """The rows of a table by each of its unique columns."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows = {key: {row[key]: row for row in table.rows} for key in table.keys}

    def find(self, key: str, value: Any) -> Row | None:
        return self._rows[key].get(value)

    def add(self, row: Row) -> None:
        """Raises Refused if another row has one of the unique values."""
        for key, rows in self._rows.items():
            if rows.get(row[key], row) is not row:
                suffix = "pkey" if key == self._table.primary_key else f"{key}_key"
                raise postgrest(
                    "23505",
                    f'duplicate key value violates unique constraint "{self._table.name}_{suffix}"',
                    details=f"Key ({key})=({as_json(row[key])}) already exists.",
                )
        for key, rows in self._rows.items():
            rows[row[key]] = row

    def change(self, row: Row, values: Mapping[str, Any]) -> None:
        """Raises Refused like ``add``."""
        for key, rows in self._rows.items():
            del rows[row[key]]
        row.update(values)
        self.add(row)


def insert(table: Table, rows: Sequence[Mapping[str, Any]], how: Insert) -> Written:
    """Insert or upsert. Raises Refused, and then has stored nothing, though serial ids are used up."""
    columns = _columns(table, rows, how)
    target = _conflict_target(table, how)
    before, written, index = [dict(row) for row in table.rows], Written(), _Index(table)
    try:
        for row in rows:
            _insert_one(table, index, _tuple(table, columns, row, how), columns, target, how, written)
    except Refused:
        table.rows = before
        raise
    return written


def _columns(table: Table, rows: Sequence[Mapping[str, Any]], how: Insert) -> list[Column]:
    if how.columns is None and any(row.keys() != rows[0].keys() for row in rows):
        raise postgrest("PGRST102", "All object keys must match")
    names = how.columns if how.columns is not None else (list(rows[0]) if rows else [])
    for name in names:
        if table.column(name) is None:
            raise postgrest("PGRST204", f"Could not find the '{name}' column of '{table.name}' in the schema cache")
    return [column_of(table, name) for name in names]


def _conflict_target(table: Table, how: Insert) -> str:
    if how.on_conflict is None or how.resolution is None:
        return table.primary_key
    if column_of(table, how.on_conflict).name not in table.keys:
        raise postgrest("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
    return how.on_conflict


def _tuple(table: Table, columns: Iterable[Column], row: Mapping[str, Any], how: Insert) -> Row:
    """The row as the INSERT part of the statement sees it."""
    given = {column.name for column in columns if column.name in row or not how.missing_is_default}
    values = {
        column.name: stored(column, row.get(column.name)) if column.name in given else _default(table, column)
        for column in table.columns
    }
    for column in table.columns:
        if values[column.name] is None and not column.nullable:
            raise _null_violation(table, column, values)
    return values


def _default(table: Table, column: Column) -> Any:
    if column.default != SERIAL:
        return default(column)
    table.sequence += 1
    return table.sequence


def _insert_one(
    table: Table, index: _Index, row: Row, columns: Iterable[Column], target: str, how: Insert, written: Written
) -> None:
    known = index.find(target, row[target])
    if known is not None and how.resolution == "ignore-duplicates":
        return
    if known is not None and how.resolution == "merge-duplicates":
        if any(known is touched for touched in (*written.inserted, *written.updated)):
            raise postgrest("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time")
        index.change(known, {column.name: row[column.name] for column in columns})
        written.updated.append(known)
        return
    index.add(row)
    table.rows.append(row)
    written.inserted.append(row)


def update(table: Table, matches: Callable[[Row], bool], changes: Mapping[str, Any]) -> list[Row]:
    """Update the rows that match. Raises Refused, and then has changed nothing."""
    columns = _columns(table, [changes], Insert())
    values = {column.name: stored(column, changes[column.name]) for column in columns}
    before, touched = [dict(row) for row in table.rows], [row for row in table.rows if matches(row)]
    index = _Index(table)
    try:
        for row in touched:
            for column in columns:
                if values[column.name] is None and not column.nullable:
                    raise _null_violation(table, column, {**row, **values})
            index.change(row, values)
    except Refused:
        table.rows = before
        raise
    return touched


def delete(table: Table, matches: Callable[[Row], bool]) -> list[Row]:
    """Delete the rows that match."""
    gone = [row for row in table.rows if matches(row)]
    table.rows = [row for row in table.rows if not any(row is other for other in gone)]
    return gone


def _null_violation(table: Table, column: Column, row: Row) -> Refused:
    shown = ", ".join("null" if value is None else str(as_json(value)) for value in row.values())
    return postgrest(
        "23502",
        f'null value in column "{column.name}" of relation "{table.name}" violates not-null constraint',
        details=f"Failing row contains ({shown}).",
    )
