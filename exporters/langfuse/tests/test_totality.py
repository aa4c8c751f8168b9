"""Whatever a span holds: it is mapped, encoded, and taken by both of Langfuse's write paths."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm import semconv as sc
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings, MappingSettings, map_span
from otel_llm_langfuse import names as lf

NAMES = sorted(
    {
        value
        for module in (sc, lf)
        for constant, value in vars(module).items()
        if constant.isupper()
        and isinstance(value, str)
        and "." in value
        and " " not in value
        and value != sc.TOLD_BY  # such a span is not sent
    }
    | {
        "gen_ai.prompt.variable.x",
        "otel_llm.metadata.x",
        "langfuse.observation.metadata",
        "langfuse.trace.public",
        "llm.token_count.prompt",
        "openinference.span.kind",
        "service.version",
    }
)
any_text = st.text(st.characters(codec=None), max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text | st.binary(max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
parts = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["text", "tool_call", "tool_call_response", "reasoning", "blob", "uri", "file"])
        | st.text(max_size=3)
    },
    optional=dict.fromkeys(
        ("content", "name", "id", "arguments", "response", "mime_type", "modality", "uri", "file_id"), json_values
    ),
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": json_values}, optional={"parts": st.lists(parts | json_values, max_size=3), "name": json_values}
    )
    | json_values,
    max_size=3,
)
values = (
    scalars
    | st.lists(scalars, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=5), scalars, max_size=3)
    | (json_values | messages).map(json.dumps)
    | messages.map(lambda value: json.dumps(value)[:-1])
    | messages
)
attributes = st.dictionaries(st.sampled_from(NAMES) | any_text, values, max_size=12)
lenient = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


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
