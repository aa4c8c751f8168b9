"""Spans with every attribute that the mapping reads, and values of any kind."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from legacy_spans import CALL, IN_PIPELINE, ROOT, ROOT_HEX, make_span
from opentelemetry.sdk.trace import Event

from otel_llm import semconv as sc

TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=5)
JSON_TEXT = st.sampled_from(['{"a":"\\u0000"}', '["\\ud800"]', "[NaN]", "[1e999]", "{", '"x"', "[[[[]]]]", "9" * 5_000])
VALUE = st.recursive(SCALAR | JSON_TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
#: What the mapping reads.
NAMES = [
    sc.PROVIDER_NAME,
    sc.AGENT_NAME,
    sc.TOOL_NAME,
    sc.TOOL_CALL_ARGUMENTS,
    sc.TOOL_CALL_RESULT,
    sc.REQUEST_MODEL,
    sc.RESPONSE_FINISH_REASONS,
    sc.USAGE_INPUT_TOKENS,
    sc.USAGE_COST,
    sc.INPUT_MESSAGES,
    sc.OUTPUT_MESSAGES,
    sc.ERROR_TYPE,
    sc.USER_ID,
    sc.PIPELINE_NAME,
    sc.ANCESTOR_ID,
]
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES) | TEXT, VALUE | st.just(float("nan")), max_size=12)
OPERATIONS = st.sampled_from(["chat", "embeddings", "invoke_agent", "invoke_workflow", "execute_tool", "plan"]) | VALUE
PIPELINES = st.sampled_from([IN_PIPELINE, {}, {"otel_llm.pipeline.span_id": ROOT_HEX, "otel_llm.pipeline.primary": False}])


class _Attributes(dict[str, Any]):
    """As given: the SDK would drop half of what a foreign exporter pipeline may pass on."""


@st.composite
def spans(draw: st.DrawFn) -> Any:
    attributes = _Attributes({**draw(ATTRIBUTES), sc.OPERATION_NAME: draw(OPERATIONS), **draw(PIPELINES)})
    return make_span(
        attributes,
        name=draw(TEXT),
        span_id=draw(st.sampled_from([CALL, ROOT])),
        parent=draw(st.none() | st.just(ROOT)),
        remote_parent=draw(st.booleans()),
        error=draw(st.none() | TEXT),
        events=(Event("exception", {"exception.message": draw(TEXT)}),),
        start_ns=draw(st.none() | st.integers(-(10**20), 10**22)),
        duration_ns=draw(st.integers(-(10**18), 10**22)),
    )
