"""The tables of the models for SQLAlchemy, the same values on PostgreSQL and SQLite, and their migrations."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

#: Any number that others are unlikely to lock on: only one process creates the tables.
_MIGRATION_LOCK: Final = 0x07E1_11F7
METADATA: Final = sa.MetaData()


class Timestamp(TypeDecorator[datetime]):
    """A time with its zone; ISO 8601 text in SQLite."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        """What people write into SQLite by hand is taken as UTC, unless it says otherwise."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


CONFIG: Final = sa.Table(
    "agent_model_config",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("agent_name", sa.Text, unique=True, nullable=False),
    sa.Column("model_id", sa.Text, nullable=False),
    sa.Column("is_active", sa.Boolean, nullable=False),
    sa.Column("set_by", sa.Text),
    sa.Column("created_at", Timestamp, nullable=False),
    sa.Column("updated_at", Timestamp, nullable=False),
)
HISTORY: Final = sa.Table(
    "agent_model_history",
    METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("agent_name", sa.Text, nullable=False),
    sa.Column("old_model", sa.Text),
    sa.Column("new_model", sa.Text),
    sa.Column("set_by", sa.Text),
    sa.Column("at", Timestamp, nullable=False),
)


def migration(dialect: str) -> str:
    """The SQL that makes the tables; ``dialect`` is ``postgresql`` or ``sqlite``."""
    return (files("otel_llm.models") / "migrations" / f"agent_model_config.{dialect}.sql").read_text("utf-8")


def migrate(engine: sa.Engine) -> None:
    """Make what is missing of the tables, by one process at a time. The history is written by triggers, so that it holds all
    changes, whoever makes them.
    """
    if engine.dialect.name == "sqlite":
        _make_private(engine.url.database)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if not sa.inspect(connection).has_table(HISTORY.name):
            for statement in _paragraphs(migration(engine.dialect.name)):
                connection.exec_driver_sql(statement)


def _paragraphs(text: str) -> list[str]:
    found = ("\n".join(line for line in part.splitlines() if not line.startswith("--")) for part in text.split("\n\n"))
    return [statement for part in found if (statement := part.strip())]


def _make_private(database: str | None) -> None:
    """A new file is for its owner only."""
    if database is None or database.startswith("file:"):
        return
    path = Path(database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
