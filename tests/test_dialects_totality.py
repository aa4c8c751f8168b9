"""Whatever a span has, it can be told in the conventions' names: nothing raises, and told once it stays the same."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status, StatusCode

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.dialects import conventional, older


def _words(text: str) -> list[str]:
    return text.split()


_SEGMENTS = st.sampled_from(
    _words(
        "0 1 10 999999999999 message messages role content contents message_content type text tool_calls tool_call id function name"
        " arguments image url tool json_schema document"
    )
)
_PREFIXES = st.sampled_from(
    _words(
        "llm.input_messages llm.output_messages llm.tools llm.prompts llm.choices llm.request.functions gen_ai.prompt gen_ai.completion"
        " retrieval.documents reranker.output_documents embedding.embeddings traceloop.association.properties"
    )
)
_FLAT = st.builds(lambda prefix, rest: ".".join([prefix, *rest]), _PREFIXES, st.lists(_SEGMENTS, max_size=6))
_KNOWN = st.sampled_from(
    sorted({*older._NAMES, *(old for _, olds in older._NAMES.values() for old in olds)})
    + f"{sc.INPUT_MESSAGES} {sc.OUTPUT_MESSAGES} {sc.SYSTEM_INSTRUCTIONS} {sc.TOOL_DEFINITIONS} {sc.OPERATION_NAME} metadata tag.tags"
    " input.value output.value llm.invocation_parameters gen_ai.prompt gen_ai.completion traceloop.span.kind traceloop.entity.name"
    " traceloop.entity.input llm.request.type ai.operationId gen_ai.usage.total_tokens gen_ai.event.content message tool_calls"
    " finish_reason index id content".split()
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["text", "tool_use", "function"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "parts", "name", "id", "input", "source"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
_VALUES = (
    _JSON
    | _JSON.map(json_text)
    | st.binary(max_size=8)
    | st.lists(st.text(max_size=4), max_size=3).map(tuple)
    | st.sampled_from(
        ["LLM", "EMBEDDING", "AGENT", "TOOL", "RETRIEVER", "RERANKER", "CHAIN", "openai", "anthropic", "\ud800", "[" * 5000]
    )
)
_ATTRIBUTES = st.dictionaries(_KNOWN | _FLAT | st.text(max_size=8), _VALUES, max_size=12)
_KINDS = st.sampled_from(["LLM", "EMBEDDING", "AGENT", "TOOL", "RETRIEVER", "RERANKER", "CHAIN", None])
_EVENTS = st.builds(
    Event,
    st.sampled_from(["gen_ai.user.message", "gen_ai.choice", "gen_ai.tool.message", "gen_ai.content.prompt", "exception"])
    | st.sampled_from(["gen_ai.client.inference.operation.details", "First Token Stream Event"]),
    _ATTRIBUTES,
    st.integers(0, 2**63),
)


class _Span(ReadableSpan):
    """Attributes and events as given: the SDK would refuse some of them, a hand-made span does not."""

    def __init__(self, attributes: Any, events: Any) -> None:
        super().__init__(
            "x", status=Status(StatusCode.ERROR), start_time=1, instrumentation_scope=InstrumentationScope("another")
        )
        self._attributes, self._events = attributes, events


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(_ATTRIBUTES, st.lists(_EVENTS, max_size=3), _KINDS)
def test_nothing_raises_and_content_is_json_text(attributes: dict[str, Any], events: list[Event], kind: str | None) -> None:
    marked = attributes | ({} if kind is None else {"openinference.span.kind": kind})
    told = conventional(_Span(marked, events))
    assert all(isinstance(told.get(name, ""), str) for name in (sc.INPUT_MESSAGES, sc.OUTPUT_MESSAGES, sc.TOOL_DEFINITIONS))
    assert dict(conventional(_Span(told, ()))).keys() == dict(told).keys()
