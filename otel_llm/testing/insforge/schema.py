"""Tables as a PostgreSQL behind InsForge has them: the two legacy ones, and what tests add."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

ColumnType = Literal["int4", "int8", "uuid", "varchar", "text", "bool", "numeric", "timestamptz", "jsonb"]

#: Column defaults that are computed.
SERIAL: Final = "nextval()"
NOW: Final = "now()"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``size`` is the characters of a varchar or the digits of a numeric, ``scale`` a numeric's decimals."""

    name: str
    type: ColumnType
    nullable: bool = True
    #: A JSON value, SERIAL or NOW.
    default: Any = None
    size: int | None = None
    scale: int = 0

    @property
    def is_text(self) -> bool:
        """Whether InsForge's proxy leaves an empty string in it."""
        return self.type in {"varchar", "text"}


@dataclass(slots=True)
class Table:
    """A table with its rows. Values are Python's: datetime, Decimal, UUID text, decoded JSON."""

    name: str
    columns: tuple[Column, ...]
    primary_key: str = "id"
    unique: tuple[str, ...] = ()
    #: What the anon key may do: all with a policy for everybody, nothing with row-level security and no policy.
    open_to_anon: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    sequence: int = 0
    #: Where a trigger keeps the changes of an agent's model.
    journal: Table | None = None

    def column(self, name: str) -> Column | None:
        """A column by its name."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def keys(self) -> Iterator[str]:
        """Columns with a unique constraint."""
        yield self.primary_key
        yield from self.unique


def legacy_tables() -> list[Table]:
    """``pipeline_traces`` and ``pipeline_spans``, empty and, as the legacy migration left them, open to the anon key."""
    return [
        Table(
            "pipeline_traces",
            (
                Column("id", "int4", nullable=False, default=SERIAL),
                Column("trace_id", "uuid", nullable=False),
                Column("pipeline_name", "varchar", nullable=False, size=50),
                Column("telegram_id", "int8", nullable=False),
                Column("user_id", "int4"),
                *_outcome_columns(),
                Column("created_at", "timestamptz", default=NOW),
            ),
            unique=("trace_id",),
            open_to_anon=True,
        ),
        Table(
            "pipeline_spans",
            (
                Column("id", "int4", nullable=False, default=SERIAL),
                Column("span_id", "uuid", nullable=False),
                Column("trace_id", "uuid", nullable=False),
                Column("parent_span_id", "uuid"),
                Column("span_name", "varchar", nullable=False, size=100),
                *_outcome_columns(),
                Column("input_data", "jsonb"),
                Column("output_data", "jsonb"),
                Column("created_at", "timestamptz", default=NOW),
            ),
            unique=("span_id",),
            open_to_anon=True,
        ),
    ]


def _outcome_columns() -> tuple[Column, ...]:
    return (
        Column("start_time", "timestamptz", nullable=False),
        Column("end_time", "timestamptz", nullable=False),
        Column("duration_ms", "numeric", nullable=False, size=10, scale=2),
        Column("success", "bool", nullable=False, default=True),
        Column("error", "text"),
    )
