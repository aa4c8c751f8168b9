"""No attribute value makes the mapping raise, and whatever it makes of it PostgreSQL takes."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from any_legacy_span import spans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_llm.content_policy import FULL
from otel_llm.delivery import Delivered
from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import LegacyDestination, MappingOptions, RestStore, SqlStore, create_engine, parse_url

OPTIONS = MappingOptions(content=FULL, orphans="synthesize", user_id_attribute="user.id")


@given(spans())
@settings(max_examples=200, deadline=None)
def test_whatever_is_on_a_span_makes_a_record_that_is_the_same_each_time(span: Any) -> None:
    destination = LegacyDestination(RestStore("http://nowhere.invalid", str), OPTIONS)
    assert destination.encode(span) == destination.encode(span)


@given(st.lists(spans(), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_on_spans_is_taken_by_insforge(insforge: FakeInsForge, batch: list[Any]) -> None:
    destination = LegacyDestination(RestStore(insforge.base_url, lambda: insforge.api_key), OPTIONS)
    records = [record for span in batch if (record := destination.encode(span)) is not None]
    assert destination.send(records, timeout_s=5) == Delivered()
    destination.close()


@pytest.fixture
def postgresql(postgresql_url: str) -> sa.Engine:
    return create_engine(parse_url(postgresql_url))


@given(st.lists(spans(), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_on_spans_is_taken_by_postgresql(postgresql: sa.Engine, batch: list[Any]) -> None:
    destination = LegacyDestination(SqlStore(postgresql, create_tables=True), OPTIONS)
    records = [record for span in batch if (record := destination.encode(span)) is not None]
    assert isinstance(destination.send(records, timeout_s=5), Delivered)
