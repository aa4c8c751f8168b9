"""Sending straight into a database: the same rows on PostgreSQL and on SQLite."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from legacy_spans import CHAT, START, TRACE_UUID, make_span, pipeline_run, rows_of

from otel_llm.delivery import Delivered, Outcome, Pause, Retry, Split
from otel_llm.errors import DeliveryError
from otel_llm_insforge import Row, SqlStore, create_engine, map_span, migrate, parse_url
from otel_llm_insforge.rows import COLUMNS
from otel_llm_insforge.sql_errors import classify_sql

ROWS = rows_of(pipeline_run(0, calls=2))


def stored(store: SqlStore) -> list[Row]:
    return [
        row for table in COLUMNS for row in store.read_between(table, "0001-01-01T00:00:00+00:00", "9999-12-31T00:00:00+00:00")
    ]


def test_rows_arrive_as_they_were_made(sql: SqlStore) -> None:
    assert sql.insert(ROWS, timeout_s=5) == Delivered()
    assert stored(sql) == ROWS


@pytest.mark.parametrize(
    "columns",
    [
        {"start_time": "2026-01-01T00:00:00.000001+00:00"},
        {"start_time": "2026-01-01T00:00:00.000000+00:00"},
        {"duration_ms": 0.01},
        {"duration_ms": 99_999_999.99},
        {"error": "не вышло: 🦊 'quoted' \"twice\" %s :name\n"},
        {"input_data": {"a": [1, 1.5, True, None, "ж", {}], "b": {"c": []}}},
        {"input_data": {"big": 2**63 - 1, "small": 1e-7}, "output_data": {}},
        {"success": False, "parent_span_id": None},
    ],
    ids=lambda columns: "-".join(columns),
)
def test_values_come_back_exactly(sql: SqlStore, columns: dict[str, Any]) -> None:
    row = Row("pipeline_spans", {**map_span(make_span(CHAT))[0].columns, **columns})
    assert sql.insert([row], timeout_s=5) == Delivered()
    assert list(sql.read_traces("pipeline_spans", [TRACE_UUID])) == [row]


def test_a_second_delivery_changes_nothing(sql: SqlStore) -> None:
    changed = [Row(row.table, {**row.columns, "error": "another time"}) for row in ROWS]
    sql.insert(ROWS, timeout_s=5)
    assert sql.insert(changed, timeout_s=5) == Delivered(duplicates=4)
    assert stored(sql) == ROWS


def test_a_batch_is_stored_as_a_whole_or_not_at_all(sql: SqlStore) -> None:
    bad = Row("pipeline_spans", {**ROWS[-1].columns, "span_id": "f" * 8 + "-" + ROWS[-1].key[9:], "span_name": "x" * 101})
    assert isinstance(sql.insert([*ROWS, bad], timeout_s=5), Split)
    assert stored(sql) == []


def test_rows_are_counted(sql: SqlStore) -> None:
    assert sql.count("pipeline_spans") == 0
    sql.insert(ROWS, timeout_s=5)
    assert (sql.count("pipeline_traces"), sql.count("pipeline_spans")) == (1, 3)


def test_rows_are_read_by_time(sql: SqlStore) -> None:
    sql.insert(ROWS, timeout_s=5)
    after = START.replace("123456", "123457")
    assert list(sql.read_between("pipeline_traces", START, after)) == ROWS[:1]
    assert list(sql.read_between("pipeline_traces", after, after)) == []


def test_the_migration_creates_what_is_missing_once(engine: sa.Engine) -> None:
    assert migrate(engine) == ["pipeline_traces", "pipeline_spans"]
    assert migrate(engine) == []
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE pipeline_spans")
    assert migrate(engine) == ["pipeline_spans"]


def test_the_migration_has_the_legacy_columns_and_indexes(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    migrate(engine)
    inspector = sa.inspect(engine)
    columns = {
        table: {column["name"]: (str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)}
        for table in COLUMNS
    }
    outcome = {
        "start_time": ("TIMESTAMP", False),
        "end_time": ("TIMESTAMP", False),
        "duration_ms": ("NUMERIC(10, 2)", False),
        "success": ("BOOLEAN", False),
        "error": ("TEXT", True),
    }
    assert columns == {
        "pipeline_traces": {
            "id": ("INTEGER", False),
            "trace_id": ("UUID", False),
            "pipeline_name": ("VARCHAR(50)", False),
            "telegram_id": ("BIGINT", False),
            "user_id": ("INTEGER", True),
            **outcome,
            "created_at": ("TIMESTAMP", True),
        },
        "pipeline_spans": {
            "id": ("INTEGER", False),
            "span_id": ("UUID", False),
            "trace_id": ("UUID", False),
            "parent_span_id": ("UUID", True),
            "span_name": ("VARCHAR(100)", False),
            **outcome,
            "input_data": ("JSONB", True),
            "output_data": ("JSONB", True),
            "created_at": ("TIMESTAMP", True),
        },
    }
    indexes = {tuple(index["column_names"]) for table in COLUMNS for index in inspector.get_indexes(table)}
    assert indexes == {
        ("trace_id",),
        ("span_id",),
        ("telegram_id", "created_at"),
        ("pipeline_name", "created_at"),
        ("created_at",),
    }


def test_a_migrated_table_is_closed_to_other_roles(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    store = SqlStore(engine, create_tables=True)
    store.insert(ROWS, timeout_s=5)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS anon")
        connection.exec_driver_sql("CREATE ROLE anon")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA public TO anon")
        connection.exec_driver_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO anon")
        connection.exec_driver_sql("SET LOCAL ROLE anon")
        assert connection.exec_driver_sql("SELECT * FROM pipeline_traces").all() == []
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY anon")
        connection.exec_driver_sql("DROP ROLE anon")


def test_postgresql_without_tables_pauses_unless_told_to_create_them(postgresql_url: str) -> None:
    store = SqlStore(create_engine(parse_url(postgresql_url)), create_tables=False)
    reason = "the tables are missing or differ: run the migrations of otel-llm-insforge (ProgrammingError, 42P01)"
    assert store.insert(ROWS, timeout_s=5) == Pause(reason)
    with pytest.raises(DeliveryError, match="run the migrations"):
        store.count("pipeline_traces")


def test_a_new_sqlite_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "legacy.db"
    SqlStore(create_engine(parse_url(f"sqlite:///{path}")), create_tables=True).insert(ROWS, timeout_s=5)
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path.parent, path)] == [0o700, 0o600]


def test_a_sqlite_file_that_is_locked_is_retried(tmp_path: Path) -> None:
    store = SqlStore(sa.create_engine(f"sqlite:///{tmp_path}/legacy.db", connect_args={"timeout": 0}), create_tables=True)
    store.insert(ROWS[:1], timeout_s=5)
    blocker = sqlite3.connect(tmp_path / "legacy.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    assert store.insert(ROWS, timeout_s=5) == Retry("the database is not available (OperationalError)")
    blocker.close()
    assert store.insert(ROWS, timeout_s=5) == Delivered(duplicates=1)
    store.close()


def test_a_postgresql_that_is_down_is_retried(tmp_path: Path) -> None:
    store = SqlStore(create_engine(parse_url(f"postgresql:///legacy?host={tmp_path}")), create_tables=False)
    assert store.insert(ROWS, timeout_s=5) == Retry("the database is not available (OperationalError)")


def test_a_statement_ends_with_the_time_for_it(postgresql_url: str) -> None:
    engine = create_engine(parse_url(postgresql_url))
    store = SqlStore(engine, create_tables=True)
    store.insert(ROWS[:1], timeout_s=5)
    with engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE pipeline_traces")
        outcome = store.insert(ROWS, timeout_s=0.05)
    assert outcome == Retry("the database is not available (OperationalError, 57014)")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("08006", Retry),
        ("40P01", Retry),
        ("40001", Retry),
        ("57P01", Retry),
        ("53300", Retry),
        ("XX000", Retry),
        ("22P02", Split),
        ("22001", Split),
        ("23502", Split),
        ("42P01", Pause),
        ("42703", Pause),
        ("42501", Pause),
        ("28P01", Pause),
        ("3D000", Pause),
    ],
)
def test_an_sqlstate_says_what_to_do(state: str, outcome: type[Outcome]) -> None:
    class OriginalError(Exception):
        sqlstate = state

    found = classify_sql(sa.exc.ProgrammingError("INSERT", {"error": "secret"}, OriginalError("secret")))
    assert type(found) is outcome
    assert "secret" not in str(found)
