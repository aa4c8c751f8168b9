"""The admins' choices in a database: PostgreSQL, or a SQLite file. Needs the extra ``models``."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from otel_llm.errors import ConfigurationError, DeliveryError, MissingExtraError
from otel_llm.models.sql_tables import CONFIG, HISTORY, migrate
from otel_llm.models.store import Change, Override, agent_of, model_of

_POSTGRESQL: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
#: A server that hangs must not hold up the refreshes: seconds to connect, and until a dead connection is given up.
_CONNECT: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8_000,
}
_ANSWER_MS: Final = 5_000
_MISSING_TABLE: Final = "42P01"


class SqlStore:
    """The tables ``agent_model_config`` and ``agent_model_history``; made by the first :meth:`set` if they are missing."""

    def __init__(self, url: str) -> None:
        """Raises ConfigurationError for a URL of another kind, MissingExtraError for PostgreSQL without psycopg."""
        self._engine = _engine(_parsed(url))
        self._migrated = False

    @property
    def address(self) -> str:
        """The database's URL without its password, and without parameters, which may hold one too."""
        return self._engine.url.set(query={}).render_as_string(hide_password=True)

    def active(self) -> Mapping[str, Override]:
        """The overrides that hold, by agent."""
        statement = sa.select(CONFIG).where(CONFIG.c.is_active)
        return {row["agent_name"]: _override(row) for row in self._rows(statement)}

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        """Make ``model_id`` the agent's model, in one statement: of two at once the later one wins, and the history has both."""
        agent, model = agent_of(agent_name), model_of(model_id)
        with self._transaction(writes=True) as connection:
            connection.execute(self._upsert({"agent_name": agent, "model_id": model, "is_active": True, "set_by": by}))
            row = connection.execute(sa.select(CONFIG).where(CONFIG.c.agent_name == agent)).mappings().one()
        return _override(row)

    def _upsert(self, values: Mapping[str, Any]) -> Any:
        dialect: Any = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(CONFIG).values(values)
        new = statement.excluded
        changed = sa.or_(CONFIG.c.model_id != new.model_id, CONFIG.c.is_active.is_(False))
        changes = {"model_id": new.model_id, "is_active": new.is_active, "set_by": new.set_by}
        return statement.on_conflict_do_update(index_elements=["agent_name"], set_=changes, where=changed)

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        """Go back to what the code says; False if there was no override."""
        holds = sa.and_(CONFIG.c.agent_name == agent_of(agent_name), CONFIG.c.is_active)
        with self._transaction(writes=True) as connection:
            return bool(connection.execute(sa.update(CONFIG).where(holds).values(is_active=False, set_by=by)).rowcount)

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        """The changes, latest first, of one agent or of all."""
        statement = sa.select(HISTORY).order_by(HISTORY.c.id.desc()).limit(limit)
        if agent_name is not None:
            statement = statement.where(HISTORY.c.agent_name == agent_of(agent_name))
        return [
            Change(row["agent_name"], row["old_model"], row["new_model"], row["set_by"], row["at"])
            for row in self._rows(statement)
        ]

    def _rows(self, statement: sa.Select[Any]) -> list[sa.RowMapping]:
        """Nothing where there are no tables: nobody has set anything yet."""
        if _is_missing(self._engine.url):
            return []
        with self._transaction() as connection:
            try:
                return list(connection.execute(statement).mappings())
            except SQLAlchemyError as error:
                if _table_is_missing(error):
                    return []
                raise

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        try:
            with suppress_instrumentation():
                if writes and not self._migrated:
                    migrate(self._engine)
                    self._migrated = True
                with self._engine.begin() as connection:
                    if connection.dialect.name == "postgresql":
                        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_ANSWER_MS}")
                    yield connection
        except (SQLAlchemyError, OSError, ValueError) as error:
            raise DeliveryError(f"{self.address}: {_reason(error)}") from error

    def close(self) -> None:
        """Nothing is kept open: each use has a connection of its own, so none is shared across a fork."""
        self._engine.dispose()


def _parsed(text: str) -> sa.URL:
    """Messages hold nothing of the URL, which may hold a password."""
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        url = sa.URL.create("unreadable")
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in {"sqlite", "sqlite+pysqlite"} or url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            ["the database of models must be a URL such as postgresql://user:password@host/name or sqlite:////path/file.db"]
        )
    return url


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        return sa.create_engine(url, poolclass=NullPool, connect_args={"timeout": 5.0})
    if importlib.util.find_spec("psycopg") is None:
        raise MissingExtraError("PostgreSQL", "pip install 'otel-llm[postgresql]'")
    return sa.create_engine(url, poolclass=NullPool, connect_args={**_CONNECT, **url.query})


def _is_missing(url: sa.URL) -> bool:
    """Whether it is a SQLite file that is not there: to connect would make it."""
    if url.get_backend_name() != "sqlite" or url.database is None or url.database.startswith("file:"):
        return False
    return not Path(url.database).exists()


def _override(row: sa.RowMapping) -> Override:
    return Override(
        agent_name=row["agent_name"],
        model_id=row["model_id"],
        is_active=bool(row["is_active"]),
        set_by=row["set_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _table_is_missing(error: SQLAlchemyError) -> bool:
    origin = getattr(error, "orig", None)
    return getattr(origin, "sqlstate", None) == _MISSING_TABLE or str(origin).startswith("no such table")


def _reason(error: Exception) -> str:
    """What happened and what to do, without a text of the database, which may quote what it was given."""
    origin = getattr(error, "orig", None)
    state = getattr(origin, "sqlstate", None) or ""
    kind = f"({type(origin or error).__name__}{', ' + state if state else ''})"
    if state == "42501":
        return f"this user may not do that {kind}: grant it the tables agent_model_config and agent_model_history, or their creation"
    if state.startswith("42") or isinstance(error, ValueError):
        return f"the tables are not those of otel-llm {kind}: see the migrations in otel_llm/models/migrations"
    if state.startswith(("28", "3D")):
        return f"the database refused the login {kind}: check user, password and name of the database"
    return f"the database cannot be reached or is not available {kind}: check the URL and whether it runs"
