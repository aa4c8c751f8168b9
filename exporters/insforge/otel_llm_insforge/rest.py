"""The legacy tables through InsForge's database records API, which is PostgREST behind a proxy of its own."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.delivery import Delivered, Outcome, Retry
from otel_llm.delivery.bounded_http import BoundedClient, retry_after
from otel_llm.errors import DeliveryError
from otel_llm_insforge.answers import Fault, fault_of, reason_of
from otel_llm_insforge.batches import bodies, by_table
from otel_llm_insforge.patience import Patience
from otel_llm_insforge.rows import KEYS, Row, read_row

_PAGE_ROWS: Final = 500
#: About 40 bytes each in the URL; InsForge answers 431 beyond some hundred.
_IDS_PER_REQUEST: Final = 150
_READ_TIMEOUT_S: Final = 30.0
_INSERT_PREFERENCES: Final = "resolution=ignore-duplicates,return=minimal"


class RestStore:
    """Upserts by key with ``ignore-duplicates``: sending a batch again changes nothing, and parallel writers do not deadlock."""

    def __init__(
        self, base_url: str, key: Callable[[], str], *, compress: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = f"{base_url.rstrip('/')}/api/database/records"
        self._key = key
        self._compress = compress
        self._clock = clock
        self._patience = Patience(clock)
        self._client: httpx.Client | None = None
        self._process = 0

    @property
    def address(self) -> str:
        """The URL under which the tables are."""
        return self._root

    def insert(self, rows: Sequence[Row], *, timeout_s: float) -> Outcome:
        """Insert what is not there yet. The first request that fails decides; what others stored is recognised the next time."""
        deadline = self._clock() + timeout_s
        for table, found in by_table(rows):
            for body in bodies(found):
                remaining = deadline - self._clock()
                if remaining <= 0:
                    return Retry("no time left for the rest of the batch")
                outcome = self._post(table, body, remaining)
                if not isinstance(outcome, Delivered):
                    return outcome
        self._patience.delivered()
        return Delivered()

    def _post(self, table: str, body: bytes, timeout_s: float) -> Outcome:
        headers = {"Content-Type": "application/json", "Prefer": _INSERT_PREFERENCES}
        if self._compress:
            body, headers = gzip.compress(body, mtime=0), {**headers, "Content-Encoding": "gzip"}
        try:
            answer = self._authorised(
                "POST", table, timeout_s, params={"on_conflict": KEYS[table]}, content=body, headers=headers
            )
        except httpx.RequestError as error:  # whether the batch was stored is unknown
            return Retry(f"InsForge cannot be reached: {type(error).__name__}")
        fault = fault_of(answer.status_code, answer.content)
        if fault is None:
            return Delivered()
        reason = reason_of(fault, answer.status_code, answer.content)
        return self._patience.judge(fault, reason, retry_after(answer.headers.get("retry-after")))

    def read_traces(self, table: str, trace_ids: Sequence[str]) -> Iterator[Row]:
        """The rows with these ``trace_id`` values."""
        for first in range(0, len(trace_ids), _IDS_PER_REQUEST):
            chunk = trace_ids[first : first + _IDS_PER_REQUEST]
            yield from self._pages(table, [("trace_id", f"in.({','.join(chunk)})")])

    def read_between(self, table: str, start: str, end: str) -> Iterator[Row]:
        """The rows with ``start <= start_time < end``."""
        yield from self._pages(table, [("start_time", f"gte.{start}"), ("start_time", f"lt.{end}")])

    def _pages(self, table: str, filters: list[tuple[str, str]]) -> Iterator[Row]:
        """Pages by key: an offset would skip or repeat rows of a table that is being written."""
        last = 0
        while True:
            order = [("id", f"gt.{last}"), ("order", "id.asc"), ("limit", str(_PAGE_ROWS))]
            page = _rows(table, self._get(table, [*filters, *order]))
            yield from (row for _, row in page)
            if len(page) < _PAGE_ROWS:
                return
            last = page[-1][0]

    def count(self, table: str) -> int:
        """The number of rows."""
        answer = self._get(table, [("select", "id"), ("limit", "1")], prefer="count=exact")
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        if not total.isdigit():
            raise DeliveryError(f"InsForge did not count {table}: no total in its Content-Range")
        return int(total)

    def _get(self, table: str, params: list[tuple[str, str]], prefer: str | None = None) -> httpx.Response:
        headers = {} if prefer is None else {"Prefer": prefer}
        try:
            answer = self._authorised("GET", table, _READ_TIMEOUT_S, params=params, headers=headers)
        except httpx.RequestError as error:
            raise DeliveryError(f"InsForge cannot be reached to read {table}: {type(error).__name__}") from error
        fault = fault_of(answer.status_code, answer.content)
        if fault is not None:
            raise DeliveryError(f"{table} cannot be read: {reason_of(fault, answer.status_code, answer.content)}")
        return answer

    def _authorised(
        self, method: str, table: str, timeout_s: float, *, headers: dict[str, str], **parts: Any
    ) -> httpx.Response:
        """One request; once more if the key was refused and has been replaced in the meantime."""
        key = self._key()
        answer = self._send(method, table, timeout_s, headers={**headers, **credential(key)}, **parts)
        if fault_of(answer.status_code, answer.content) is Fault.CREDENTIAL and (fresh := self._key()) != key:
            answer = self._send(method, table, timeout_s, headers={**headers, **credential(fresh)}, **parts)
        return answer

    def _send(self, method: str, table: str, timeout_s: float, **parts: Any) -> httpx.Response:
        with suppress_instrumentation():  # spans of our own requests would be exported by further requests
            url, http = f"{self._root}/{table}", self._connected()
            if method == "POST":
                return http.post(url, timeout=timeout_s, **parts)
            with http.stream(method, url, timeout=timeout_s, **parts) as answer:  # pages of rows, which are wanted whole
                answer.read()
                return answer

    def _connected(self) -> httpx.Client:
        """The client of this process: connections must not be shared across a fork."""
        if self._client is None or self._process != os.getpid():
            self._client, self._process = BoundedClient(), os.getpid()
        return self._client

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None and self._process == os.getpid():
            self._client.close()
        self._client = None


def _rows(table: str, answer: httpx.Response) -> list[tuple[int, Row]]:
    """The rows of a page with their serial ids."""
    try:
        return [(int(stored["id"]), read_row(table, stored)) for stored in answer.json()]
    except (ValueError, KeyError, TypeError) as error:
        raise DeliveryError(f"InsForge's rows of {table} are not those of the legacy schema: {type(error).__name__}") from error


def credential(key: str) -> dict[str, str]:
    """An anon key goes as a bearer token; an API key, of any form, in a field of its own."""
    return {"Authorization": f"Bearer {key}"} if key.startswith("anon_") else {"x-api-key": key}
