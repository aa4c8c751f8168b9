"""What ``otel-llm doctor`` asks of the legacy tables: settings, the way to them, the key, their columns. It only reads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

import httpx

from otel_llm.content_policy import ContentMode
from otel_llm.doctor.clock import clock_findings
from otel_llm.doctor.content_switches import uncaptured
from otel_llm.doctor.finding import Finding, Level, settings_faults
from otel_llm.doctor.probe import Answer, UnreachableError, ask
from otel_llm.errors import ConfigurationError
from otel_llm_insforge.answers import Fault, fault_of, reason_of
from otel_llm_insforge.rest import credential
from otel_llm_insforge.rows import COLUMNS, TABLES
from otel_llm_insforge.settings import Connection, Options, load

_WHERE: Final = "insforge"
_ADDRESS: Final = "INSFORGE_BASE_URL"
_KEY: Final = "INSFORGE_API_KEY"
_REMEDIES: Final = {
    Fault.CREDENTIAL: (_KEY, "Take the project's API key (ik_...)"),
    Fault.GRANT: (_KEY, "Take the project's API key (ik_...), or grant this role SELECT and INSERT"),
    Fault.SCHEMA: (_WHERE, "Run the migrations of otel-llm-insforge"),
    Fault.ADDRESS: (_ADDRESS, "Set it to the address of InsForge itself"),
}


def check(*, timeout_s: float, offline: bool) -> list[Finding]:
    """The findings of whichever way to the tables is configured."""
    try:
        connection, options = load({})
    except ConfigurationError as error:
        return settings_faults(error.faults)
    if not connection.given:
        return [Finding(Level.NOTE, _WHERE, "is not configured; no legacy tables are written")]
    found = _content(options)
    if offline:
        return found
    if connection.database_url:
        from otel_llm_insforge.checks_sql import database_findings  # SQLAlchemy takes longer to load than all else

        return found + database_findings(connection.database_url.get_secret_value(), options.create_tables)
    return found + list(_rest_findings(connection, time.monotonic() + timeout_s))


def _content(options: Options) -> list[Finding]:
    if options.content is ContentMode.NONE:
        return []
    return uncaptured(os.environ, _WHERE, f"OTEL_LLM_LEGACY_CONTENT is {options.content.value}")


def _rest_findings(connection: Connection, deadline: float) -> Iterator[Finding]:
    """One for each table, until one fails for a reason that is not its own; ``deadline`` in seconds of the monotonic clock."""
    base_url, key = (connection.base_url or "").rstrip("/"), connection.key()
    host = httpx.URL(base_url).host
    for table in TABLES:
        url = f"{base_url}/api/database/records/{table}"
        columns = {"select": ",".join(COLUMNS[table]), "limit": "0"}
        try:
            answer = ask("GET", url, timeout_s=max(0.1, deadline - time.monotonic()), headers=credential(key), params=columns)
        except UnreachableError as error:
            yield Finding(Level.FAULT, _ADDRESS, f"{host} cannot be reached: {error}", f"Check {_ADDRESS} and the network")
            return
        if table == TABLES[0]:
            yield from clock_findings(host, answer.ahead_s)
        fault = fault_of(answer.status, answer.body)
        yield _table_finding(table, host, answer, fault)
        if fault not in (None, Fault.SCHEMA):
            return


def _table_finding(table: str, host: str, answer: Answer, fault: Fault | None) -> Finding:
    if fault is None:
        return Finding(Level.OK, _WHERE, f"{table} can be read at {host}, with all its columns")
    if answer.redirected_to:
        return Finding(Level.FAULT, _ADDRESS, f"{host} redirects to {answer.redirected_to}", _REMEDIES[Fault.ADDRESS][1])
    reason = reason_of(fault, answer.status, answer.body)
    if fault not in _REMEDIES:
        return Finding(Level.WARNING, _WHERE, f"{table} could not be read: {reason}", "Rows are kept and sent again; try later")
    where, todo = _REMEDIES[fault]
    return Finding(Level.FAULT, where, f"{table} cannot be read: {reason}", todo)
