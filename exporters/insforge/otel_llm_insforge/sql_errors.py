"""What an error of a database means for a batch, by its SQLSTATE (PostgreSQL) or its kind (SQLite).

No text of an error enters a reason: PostgreSQL's details quote the failing row.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from otel_llm.delivery import Outcome
from otel_llm_insforge.answers import Fault, fault_of_code, outcome_of

_MEANINGS: Final = {
    Fault.TRANSIENT: "the database is not available",
    Fault.ROW: "the database refused a row",
    Fault.SCHEMA: "the tables are missing or differ: run the migrations of otel-llm-insforge",
    Fault.CREDENTIAL: "the database refused the login: check OTEL_LLM_LEGACY_DATABASE_URL",
    Fault.GRANT: "the database user may not write the legacy tables: grant it INSERT and SELECT",
}
_CREDENTIAL_STATES: Final = ("28", "3D000")
_SQLITE_SCHEMA: Final = re.compile(r"no such (table|column)|has no column|ON CONFLICT clause does not match")


def classify_sql(error: Exception) -> Outcome:
    """What to do after an error."""
    return outcome_of(_fault_of(error), reason_of(error))


def reason_of(error: Exception) -> str:
    """One line without any text of the error."""
    state = sql_state(error)
    return f"{_MEANINGS[_fault_of(error)]} ({type(error).__name__}{', ' + state if state else ''})"


def sql_state(error: Exception) -> str:
    """The SQLSTATE of a PostgreSQL error; "" for others."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    return state if isinstance(state, str) else ""


def _fault_of(error: Exception) -> Fault:
    state = sql_state(error)
    if state == "42501":
        return Fault.GRANT
    if state.startswith(_CREDENTIAL_STATES):
        return Fault.CREDENTIAL
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.OperationalError):
        return Fault.SCHEMA if _SQLITE_SCHEMA.search(str(error.orig)) else Fault.TRANSIENT
    if isinstance(error, DataError | IntegrityError) or (
        isinstance(error, StatementError) and not isinstance(error, DBAPIError)
    ):
        return Fault.ROW
    return fault_of_code(state) or Fault.TRANSIENT
