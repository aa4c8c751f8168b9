"""What ``otel-llm doctor`` asks of a database with the legacy tables. It only reads, and makes no SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy.exc import SQLAlchemyError

from otel_llm.doctor.finding import Finding, Level
from otel_llm.errors import MissingExtraError
from otel_llm_insforge.database import create_engine, parse_url
from otel_llm_insforge.rows import COLUMNS, TABLES
from otel_llm_insforge.sql_errors import reason_of

_WHERE: Final = "insforge"
_VARIABLE: Final = "OTEL_LLM_LEGACY_DATABASE_URL"
_MIGRATE: Final = "Run the migrations of otel-llm-insforge, or set OTEL_LLM_LEGACY_CREATE_TABLES=true"


def database_findings(database_url: str, create_tables: bool | None) -> list[Finding]:
    """``database_url`` has passed the settings. Tables that are created when first needed are not missing."""
    url = parse_url(database_url)
    embedded = url.get_backend_name() == "sqlite"
    created = embedded if create_tables is None else create_tables
    if embedded and url.database and not url.database.startswith("file:") and not Path(url.database).exists():
        return [_no_file(url.database, created)]
    try:
        return _tables(create_engine(url), created)
    except MissingExtraError as error:
        return [Finding(Level.FAULT, _VARIABLE, "needs a driver that is not installed", error.install)]
    except (SQLAlchemyError, OSError) as error:
        return [Finding(Level.FAULT, _VARIABLE, reason_of(error), f"Check {_VARIABLE} and the database")]


def _no_file(path: str, created: bool) -> Finding:
    if created:
        return Finding(Level.OK, _WHERE, f"the SQLite file is made with the first row: {Path(path).absolute()}")
    return Finding(Level.FAULT, _VARIABLE, f"there is no SQLite file {Path(path).absolute()}", _MIGRATE)


def _tables(engine: sa.Engine, created: bool) -> list[Finding]:
    with suppress_instrumentation(), engine.connect() as connection:
        inspector = sa.inspect(connection)
        return [_table(inspector, table, created) for table in TABLES]


def _table(inspector: sa.Inspector, table: str, created: bool) -> Finding:
    if not inspector.has_table(table):
        if created:
            return Finding(Level.OK, _WHERE, f"{table} is made with the first row")
        return Finding(Level.FAULT, _WHERE, f"{table} is missing in the database", _MIGRATE)
    there = {column["name"] for column in inspector.get_columns(table)}
    missing = [column for column in COLUMNS[table] if column not in there]
    if missing:
        return Finding(Level.FAULT, _WHERE, f"{table} lacks columns: {', '.join(missing)}", "Compare it with the migrations")
    return Finding(Level.OK, _WHERE, f"{table} is there, with all its columns")
