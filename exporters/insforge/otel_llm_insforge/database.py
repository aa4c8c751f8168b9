"""A database by its URL: PostgreSQL through psycopg 3, or a SQLite file."""

from __future__ import annotations

import importlib.util
import os
from importlib.resources import files
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from otel_llm.errors import MissingExtraError
from otel_llm_insforge.rows import TABLES

_POSTGRESQL: Final = {"postgres", "postgresql", "postgresql+psycopg"}
#: Any number that others are unlikely to lock on: only one process creates the tables.
_MIGRATION_LOCK: Final = 0x07E1_11F0


def parse_url(text: str) -> sa.URL:
    """The URL in SQLAlchemy's form. Raises ValueError, whose text holds nothing of the URL, since that may hold a password."""
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(
            "is not a database URL such as postgresql://user:password@host/name or sqlite:////path/file.db"
        ) from None
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise ValueError("must be a postgresql:// or a sqlite:// URL")
    if url.database in (None, "", ":memory:"):
        raise ValueError("must name a SQLite file: a database in memory is gone with its connection")
    return url


def create_engine(url: sa.URL) -> sa.Engine:
    """An engine with a connection per batch: none idle, none shared across a fork. Raises MissingExtraError without psycopg."""
    if url.get_backend_name() == "sqlite":
        return sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": 5.0})
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtraError("PostgreSQL", "pip install 'otel-llm-insforge[postgresql]'")
    return sa.create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})


def migrate(engine: sa.Engine) -> list[str]:
    """Create the legacy tables that are missing, with their indexes; returns their names. One that exists is left as it is."""
    if engine.dialect.name == "sqlite":
        _create_private_file(engine.url.database)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        inspector = sa.inspect(connection)
        missing = [table for table in TABLES if not inspector.has_table(table)]
        for table in missing:
            for statement in migration_statements(table, engine.dialect.name):
                connection.exec_driver_sql(statement)
    return missing


def migration_statements(table: str, dialect: str) -> list[str]:
    """The SQL that creates one table; ``dialect`` is ``postgresql`` or ``sqlite``."""
    text = (files("otel_llm_insforge") / "migrations" / f"{table}.{dialect}.sql").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("--"))
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]


def _create_private_file(database: str | None) -> None:
    """Rows may hold prompts: a new file is for its owner only."""
    if database is None or database.startswith("file:"):
        return
    path = Path(database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
