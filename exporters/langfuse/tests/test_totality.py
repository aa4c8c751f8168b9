"""Whatever a span holds: it is mapped, encoded, and taken by both of Langfuse's write paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from any_attributes import NAMES, any_text, attributes, lenient
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings, MappingSettings, map_span
from otel_llm_langfuse import names as lf


@lenient
@given(attributes=attributes, resource=st.dictionaries(st.sampled_from(NAMES), any_text, max_size=2), name=any_text)
def test_any_attributes_are_mapped(
    make_span: Callable[..., ReadableSpan], attributes: dict[str, Any], resource: dict[str, Any], name: str
) -> None:
    span = make_span(attributes, name=name, error=name, events=(Event("exception", attributes),), parent=7)
    span._resource = type(span.resource)(resource)
    made = map_span(span, MappingSettings())

    assert made == map_span(span, MappingSettings())
    for wanted_json in (lf.USAGE_DETAILS, lf.COST_DETAILS, lf.MODEL_PARAMETERS):
        assert isinstance(json.loads(str(made.get(wanted_json, "{}"))), dict)
    assert isinstance(made.get(lf.PROMPT_VERSION, 1), int)


@pytest.fixture(scope="module")
def dual() -> Iterator[FakeLangfuse]:
    with FakeLangfuse(path="dual") as server:
        yield server


@pytest.fixture(scope="module")
def destination(dual: FakeLangfuse) -> Iterator[LangfuseDestination]:
    keys = {"public_key": dual.public_key, "secret_key": dual.secret_key, "base_url": dual.base_url}
    made = LangfuseDestination(LangfuseSettings.load(**keys))
    yield made
    made.close()


@settings(parent=lenient, max_examples=60)
@given(attributes=attributes)
def test_any_attributes_are_encoded_and_rejected_by_no_schema(
    make_span: Callable[..., ReadableSpan], dual: FakeLangfuse, destination: LangfuseDestination, attributes: dict[str, Any]
) -> None:
    dual.clear()
    attributes.pop("otel_llm.project", None)  # a span that names a project goes to no other
    record = destination.encode(make_span(attributes | {"gen_ai.operation.name": "chat"}))
    destination.send([record or b""], timeout_s=5)

    assert (len(dual.observations), dual.rejected) == (1, [])
