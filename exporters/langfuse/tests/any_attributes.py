"""Attributes of every name that means something to the mapping, with values of any kind."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from otel_llm import semconv as sc
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
