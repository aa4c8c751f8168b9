"""FakeInsForge: the database records API of an InsForge on a loopback socket, with its statuses, errors and limits."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_llm.testing.insforge.access import Credentials
from otel_llm.testing.insforge.agent_models import model_tables
from otel_llm.testing.insforge.errors import Refused, insforge
from otel_llm.testing.insforge.faults import Fault, Kind, answer_of, own_answer
from otel_llm.testing.insforge.records import Records
from otel_llm.testing.insforge.schema import Column, Table, legacy_tables
from otel_llm.testing.insforge.values import as_json
from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response

_RECORDS: Final = "/api/database/records/"
#: Node's limit for the head of a request is 16 KiB; the URL has most of it.
_LONGEST_TARGET: Final = 15_000


class FakeInsForge(LoopbackServer):
    """An InsForge with the two legacy tables, open to the anon key as the legacy migration left them, and those of the agents' models.

    ::

        with FakeInsForge() as insforge:
            monkeypatch.setenv(...)  # insforge.environment
            ...
            assert insforge.rows("pipeline_traces") == [...]
    """

    def __init__(
        self, *, api_key: str = "ik_fake", anon_key: str = "anon_fake", max_body_bytes: int = 100 * 1024 * 1024, port: int = 0
    ) -> None:
        super().__init__(port=port)
        self.api_key = api_key
        self.anon_key = anon_key
        self.max_body_bytes = max_body_bytes
        #: A user's access token that is valid.
        self.access_token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.fake"  # noqa: S105  (accepted here only)
        #: All requests so far, in the order of their arrival.
        self.requests: list[Request] = []
        self._tables = {table.name: table for table in [*legacy_tables(), *model_tables()]}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    @property
    def environment(self) -> Mapping[str, str]:
        """Settings by which an exporter reaches this server."""
        return {"INSFORGE_BASE_URL": self.base_url, "INSFORGE_API_KEY": self.api_key}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table in the order of their insertion, in their JSON form. Raises KeyError for an unknown table."""
        with self._lock:
            return [{name: copy.deepcopy(as_json(value)) for name, value in row.items()} for row in self._tables[table].rows]

    def add_table(
        self, name: str, columns: Iterable[Column], *, unique: Iterable[str] = (), open_to_anon: bool = False
    ) -> None:
        """Another table. Its first column is the primary key."""
        columns = tuple(columns)
        with self._lock:
            self._tables[name] = Table(name, columns, columns[0].name, tuple(unique), open_to_anon)

    def drop_table(self, name: str) -> None:
        """Remove a table with its rows. Raises KeyError for an unknown table."""
        with self._lock:
            del self._tables[name]

    def close_to_anon(self, name: str) -> None:
        """Row-level security without a policy: the anon key reads nothing and writes nothing."""
        with self._lock:
            self._tables[name].open_to_anon = False

    def fail_next(
        self,
        kind: Kind | None = None,
        *,
        status: int = 500,
        body: Any = None,
        retry_after: str | None = None,
        times: int = 1,
        commit: bool = False,
    ) -> None:
        """Answer the next requests by a failure: a ``kind`` that InsForge was seen to have, or else ``status`` and ``body``.

        With ``commit`` the request is carried out all the same, as after a timeout between InsForge and its database.
        """
        answer = answer_of(kind) if kind is not None else own_answer(status, {} if body is None else body, retry_after)
        with self._lock:
            self._faults.append(Fault(answer, times, commit))

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        with self._lock:
            self.requests.append(request)
            fault = self._next_fault()
            if fault is None:
                return self._regular(request)
            if fault.commit:
                self._regular(request)
        if fault.answer is None:
            raise HangUp
        return fault.answer

    def _next_fault(self) -> Fault | None:
        if not self._faults:
            return None
        fault = self._faults[0]
        fault.times -= 1
        if fault.times <= 0:
            self._faults.pop(0)
        return fault

    def _regular(self, request: Request) -> Response:
        try:
            if len(request.target) > _LONGEST_TARGET:
                return Response(431, {"Connection": "close"})
            if not request.path.startswith(_RECORDS):
                raise insforge(404, "NOT_FOUND", f"Cannot {request.method} {request.path}")
            role = Credentials(self.api_key, self.anon_key, self.access_token).role(request.headers)
            return Records(self._tables, role, self.max_body_bytes).answer(request, request.path.removeprefix(_RECORDS))
        except Refused as refusal:
            return Response.json(refusal.body, refusal.status)
