"""One request to the records of a table: from method, query, preferences and body to the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_llm.testing.insforge.access import Role
from otel_llm.testing.insforge.agent_models import journalled
from otel_llm.testing.insforge.body import parse_body, parse_rows
from otel_llm.testing.insforge.errors import insforge, postgrest
from otel_llm.testing.insforge.preferences import parse_preferences
from otel_llm.testing.insforge.query import Query, parse_query
from otel_llm.testing.insforge.schema import Table
from otel_llm.testing.insforge.store import Insert, Row, delete, insert, update
from otel_llm.testing.server import Request, Response

_ONE_OBJECT: Final = "application/vnd.pgrst.object+json"


@dataclass(frozen=True, slots=True)
class Records:
    """The tables as one role sees them."""

    tables: Mapping[str, Table]
    role: Role
    max_body_bytes: int

    def answer(self, request: Request, name: str) -> Response:
        """Answer one request. Raises Refused."""
        body = self._body(request)
        table = self._table(name)
        preferences = parse_preferences(request.headers.get("prefer", ""))
        query = parse_query(table, request.query)
        if request.method in {"GET", "HEAD"}:
            return self._read(request, table, query, preferences)
        if request.method == "POST":
            return self._insert(request, table, query, preferences, parse_rows(table, body))
        if request.method == "PATCH":
            changes = parse_rows(table, body)[0]
            return self._changed(request, query, preferences, self._update(table, query, changes))
        if request.method == "DELETE":
            return self._changed(request, query, preferences, self._delete(table, query))
        raise postgrest("PGRST117", f"Unsupported HTTP method: {request.method}")

    def _body(self, request: Request) -> Any:
        return parse_body(request.body, request.headers, self.max_body_bytes) if request.method in {"POST", "PATCH"} else None

    def _table(self, name: str) -> Table:
        if '"' in name or any(ord(character) < 32 for character in name):
            raise insforge(400, "INVALID_INPUT", "Invalid table name")
        if name not in self.tables:
            raise postgrest("42P01", f'relation "public.{name}" does not exist')
        return self.tables[name]

    def _may(self, table: Table) -> bool:
        return self.role == "project_admin" or table.open_to_anon

    def _reach(self, table: Table, query: Query) -> Any:
        """Which rows a statement of this role reaches: row-level security hides the others silently."""
        return query.matches if self._may(table) else lambda row: False

    def _read(self, request: Request, table: Table, query: Query, preferences: Mapping[str, str]) -> Response:
        reach = self._reach(table, query)
        found = query.sort([row for row in table.rows if reach(row)])
        counted = "count" in preferences
        if counted and query.offset > len(found):
            raise postgrest(
                "PGRST103", "Requested range not satisfiable", details=f"An offset of {query.offset} was requested."
            )
        page = found[query.offset :][: query.limit]
        span = f"{query.offset}-{query.offset + len(page) - 1}" if page else "*"
        headers = {"Content-Range": f"{span}/{len(found) if counted else '*'}"}
        return _represented(request, query, page, 206 if counted and len(page) < len(found) else 200, headers)

    def _insert(
        self, request: Request, table: Table, query: Query, preferences: Mapping[str, str], rows: list[dict[str, Any]]
    ) -> Response:
        if not self._may(table):
            raise postgrest("42501", f'new row violates row-level security policy for table "{table.name}"')
        columns, resolution = request.param("columns"), preferences.get("resolution")
        how = Insert(
            columns=tuple(columns.split(",")) if columns else None,
            resolution=resolution,  # type: ignore[arg-type]  # one of the two words, or None
            on_conflict=request.param("on_conflict"),
            missing_is_default=preferences.get("missing") == "default",
        )
        with journalled(table):
            written = insert(table, rows, how)
        status = 200 if written.updated and not written.inserted else 201
        if preferences.get("return") != "representation":
            return Response.json([], status)
        return _represented(request, query, [*written.inserted, *written.updated], status, {})

    def _update(self, table: Table, query: Query, changes: Mapping[str, Any]) -> list[Row]:
        with journalled(table):
            return update(table, self._reach(table, query), changes)

    def _delete(self, table: Table, query: Query) -> list[Row]:
        with journalled(table):
            return delete(table, self._reach(table, query))

    def _changed(self, request: Request, query: Query, preferences: Mapping[str, str], rows: list[Row]) -> Response:
        if preferences.get("return") != "representation":
            return Response(204)
        return _represented(request, query, rows, 200, {})


def _represented(request: Request, query: Query, rows: list[Row], status: int, headers: Mapping[str, str]) -> Response:
    shaped = [query.shape(row) for row in rows]
    if _ONE_OBJECT not in request.headers.get("accept", ""):
        return Response.json(shaped, status, headers)
    if len(shaped) != 1:
        details = f"The result contains {len(shaped)} rows"
        raise postgrest("PGRST116", "JSON object requested, multiple (or no) rows returned", details=details)
    return Response.json(shaped[0], status, headers)
