"""The tables of the agents' models, with what their triggers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from otel_llm.testing.insforge.schema import NOW, SERIAL, Column, Table

Row = Mapping[str, Any]


def model_tables() -> list[Table]:
    """``agent_model_config`` and ``agent_model_history``, empty and closed to the anon key."""
    history = Table(
        "agent_model_history",
        (
            Column("id", "int8", nullable=False, default=SERIAL),
            Column("agent_name", "text", nullable=False),
            Column("old_model", "text"),
            Column("new_model", "text"),
            Column("set_by", "text"),
            Column("at", "timestamptz", nullable=False, default=NOW),
        ),
    )
    config = Table(
        "agent_model_config",
        (
            Column("id", "int4", nullable=False, default=SERIAL),
            Column("agent_name", "text", nullable=False),
            Column("model_id", "text", nullable=False),
            Column("is_active", "bool", nullable=False, default=True),
            Column("set_by", "text"),
            Column("created_at", "timestamptz", nullable=False, default=NOW),
            Column("updated_at", "timestamptz", nullable=False, default=NOW),
        ),
        unique=("agent_name",),
        journal=history,
    )
    return [config, history]


@contextmanager
def journalled(table: Table) -> Iterator[None]:
    """Around a statement: what it changes is written into the journal of a table that has one."""
    journal = table.journal
    if journal is None:
        yield
        return
    before = {row["id"]: dict(row) for row in table.rows}
    yield
    now = datetime.now(UTC)
    after = {row["id"]: row for row in table.rows}
    for key in [*before, *(key for key in after if key not in before)]:
        was, became = before.get(key), after.get(key)
        if _model(was) != _model(became):
            _note(journal, was, became, now)
            if was is not None and became is not None:
                became["updated_at"] = now


def _note(journal: Table, was: Row | None, became: Row | None, now: datetime) -> None:
    journal.sequence += 1
    row = became if became is not None else was
    assert row is not None
    journal.rows.append(
        {
            "id": journal.sequence,
            "agent_name": row["agent_name"],
            "old_model": _model(was),
            "new_model": _model(became),
            "set_by": None if became is None else became["set_by"],
            "at": now,
        }
    )


def _model(row: Row | None) -> Any:
    return row["model_id"] if row is not None and row["is_active"] else None
