"""Which type of observation a span becomes. The first source that gives a known type wins."""

from __future__ import annotations

from typing import Final

from otel_llm.testing.langfuse.spans import Span

GENERATION: Final = "GENERATION"
SPAN: Final = "SPAN"
EVENT: Final = "EVENT"

_LANGFUSE: Final = {
    name: name.upper()
    for name in (
        "span",
        "generation",
        "event",
        "embedding",
        "agent",
        "tool",
        "chain",
        "retriever",
        "guardrail",
        "evaluator",
    )
}
_OPENINFERENCE: Final = {
    "CHAIN": "CHAIN",
    "RETRIEVER": "RETRIEVER",
    "LLM": GENERATION,
    "EMBEDDING": "EMBEDDING",
    "AGENT": "AGENT",
    "TOOL": "TOOL",
    "GUARDRAIL": "GUARDRAIL",
    "EVALUATOR": "EVALUATOR",
}
_OPERATION: Final = {
    "chat": GENERATION,
    "completion": GENERATION,
    "text_completion": GENERATION,
    "generate_content": GENERATION,
    "generate": GENERATION,
    "embeddings": "EMBEDDING",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
    "execute_tool": "TOOL",
}
#: By priority; names and values count in exactly this case.
_BY_ATTRIBUTE: Final = (
    ("langfuse.observation.type", _LANGFUSE),
    ("openinference.span.kind", _OPENINFERENCE),
    ("gen_ai.operation.name", _OPERATION),
)
_TOOL: Final = ("gen_ai.tool.name", "gen_ai.tool.call.id")
_MODEL: Final = (
    "langfuse.observation.model.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "model",
)


def observation_type(span: Span) -> str:
    """The type in capitals, as stored."""
    for name, types in _BY_ATTRIBUTE:
        value = span.attributes.get(name)
        if isinstance(value, str) and value in types:
            return types[value]
    if span.first(*_TOOL) is not None:
        return "TOOL"
    return GENERATION if span.first(*_MODEL) is not None else SPAN
