"""The rest of a PostgREST query: which columns, in what order, which part."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_llm.testing.insforge.errors import postgrest
from otel_llm.testing.insforge.filters import column_of, conditions
from otel_llm.testing.insforge.schema import Table
from otel_llm.testing.insforge.values import as_json

Row = dict[str, Any]
_AGGREGATE: Final = re.compile(r"(\w+\.)?(count|sum|avg|min|max)\(\)")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query string, ready to be applied to a table's rows."""

    matches: Callable[[Row], bool]
    sort: Callable[[list[Row]], list[Row]]
    shape: Callable[[Row], Row]
    limit: int | None
    offset: int


def parse_query(table: Table, query: Sequence[tuple[str, str]]) -> Query:
    """Raises Refused."""
    wanted = conditions(table, query)
    last = dict(query)
    return Query(
        matches=lambda row: all(condition(row) is True for condition in wanted),
        sort=_sort(table, last.get("order", "")),
        shape=_shape(table, last.get("select", "*")),
        limit=_number(last, "limit"),
        offset=_number(last, "offset") or 0,
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not text.isdigit():
        raise postgrest("PGRST100", f'"failed to parse {name} parameter ({text})"')
    return int(text)


def _sort(table: Table, order: str) -> Callable[[list[Row]], list[Row]]:
    terms = [term.split(".") for term in order.split(",") if term]
    keys = [(column_of(table, term[0]).name, "desc" in term[1:], _nulls_first(term[1:])) for term in terms]

    def sort(rows: list[Row]) -> list[Row]:
        for name, descending, nulls_first in reversed(keys):
            known = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name], reverse=descending)
            unknown = [row for row in rows if row[name] is None]
            rows = unknown + known if nulls_first else known + unknown
        return rows

    return sort


def _nulls_first(words: Sequence[str]) -> bool:
    """NULL counts as the largest value, unless it is said otherwise."""
    return "nullsfirst" in words or ("desc" in words and "nullslast" not in words)


def _shape(table: Table, select: str) -> Callable[[Row], Row]:
    columns: list[tuple[str, str]] = []
    for term in (part.strip() for part in select.split(",")):
        if _AGGREGATE.fullmatch(term):
            raise postgrest("PGRST123", "Use of aggregate functions is not allowed")
        if "(" in term:
            raise postgrest("PGRST200", f"Could not find a relationship between '{table.name}' and '{term.partition('(')[0]}'")
        alias, _, name = term.rpartition(":")
        names = [column.name for column in table.columns] if name == "*" else [column_of(table, name).name]
        columns += [(alias or found, found) for found in names]
    return lambda row: {alias: as_json(row[name]) for alias, name in columns}
