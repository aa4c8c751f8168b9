"""The legacy tables for SQLAlchemy, in types that give the same values on PostgreSQL and on SQLite."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from otel_llm_insforge.rows import SPANS, TRACES, iso

METADATA: Final = sa.MetaData()


class Timestamp(TypeDecorator[str]):
    """ISO 8601 text on our side and in SQLite, where such texts of one length compare as times; TIMESTAMPTZ in PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> Any:
        return datetime.fromisoformat(value) if value is not None and dialect.name == "postgresql" else value

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str | None:
        return iso(value) if isinstance(value, datetime) else value


_UUID: Final = sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
_JSON: Final = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _outcome_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("start_time", Timestamp, nullable=False),
        sa.Column("end_time", Timestamp, nullable=False),
        sa.Column("duration_ms", sa.Numeric(10, 2, asdecimal=False), nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text),
    ]


LEGACY: Final[Mapping[str, sa.Table]] = {
    TRACES: sa.Table(
        TRACES,
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("trace_id", _UUID, nullable=False, unique=True),
        sa.Column("pipeline_name", sa.String(50), nullable=False),
        sa.Column("telegram_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.Integer),
        *_outcome_columns(),
    ),
    SPANS: sa.Table(
        SPANS,
        METADATA,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("span_id", _UUID, nullable=False, unique=True),
        sa.Column("trace_id", _UUID, nullable=False),
        sa.Column("parent_span_id", _UUID),
        sa.Column("span_name", sa.String(100), nullable=False),
        *_outcome_columns(),
        sa.Column("input_data", _JSON),
        sa.Column("output_data", _JSON),
    ),
}
