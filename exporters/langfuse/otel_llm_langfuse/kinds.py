"""Which type of observation a span becomes."""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, text

GENERATION: Final = "generation"
EMBEDDING: Final = "embedding"
AGENT: Final = "agent"
CHAIN: Final = "chain"
TOOL: Final = "tool"
RETRIEVER: Final = "retriever"
EVALUATOR: Final = "evaluator"
GUARDRAIL: Final = "guardrail"
SPAN: Final = "span"
EVENT: Final = "event"

#: The types that tell one call of a model: they have a model, usage and a cost.
MODEL_CALLS: Final = frozenset({GENERATION, EMBEDDING})

#: Operations whose tokens, if they have any, are sums of calls below them. Counted there, they must not be counted again.
_AGGREGATES: Final = frozenset(
    {sc.INVOKE_AGENT, sc.CREATE_AGENT, sc.INVOKE_WORKFLOW, sc.EXECUTE_TOOL, "plan", "task", "apply_guardrail", "evaluate"}
)

_KNOWN: Final = frozenset(
    {GENERATION, EMBEDDING, AGENT, CHAIN, TOOL, RETRIEVER, EVALUATOR, GUARDRAIL, SPAN, EVENT},
)

_BY_OPERATION: Final = {
    sc.CHAT: GENERATION,
    sc.TEXT_COMPLETION: GENERATION,
    sc.GENERATE_CONTENT: GENERATION,
    sc.EMBEDDINGS: EMBEDDING,
    sc.INVOKE_AGENT: AGENT,
    sc.CREATE_AGENT: AGENT,
    sc.INVOKE_WORKFLOW: CHAIN,
    "plan": CHAIN,
    sc.EXECUTE_TOOL: TOOL,
    sc.RETRIEVAL: RETRIEVER,
    sc.RERANK: RETRIEVER,
    "search_memory": RETRIEVER,
    "apply_guardrail": GUARDRAIL,
    "evaluate": EVALUATOR,
    "task": SPAN,
    "fetch_response": SPAN,
}


def observation_type(given: Given) -> str:
    """The type that was asked for, else that of the operation; a span that only has a model is a generation."""
    asked = (text(given, names.TYPE) or "").lower()
    if asked in _KNOWN:
        return asked
    operation = (text(given, sc.OPERATION_NAME) or "").lower()
    fallback = GENERATION if text(given, sc.REQUEST_MODEL, sc.RESPONSE_MODEL) else SPAN
    return _BY_OPERATION.get(operation, fallback)


def sums_up(span: ReadableSpan, given: Given) -> bool:
    """Whether the tokens of a span are told again by calls below it, so that here they must not count."""
    return (text(given, sc.OPERATION_NAME) or "").lower() in _AGGREGATES and not is_opaque_agent(span, given)


def is_opaque_agent(span: ReadableSpan, given: Given) -> bool:
    """Whether a span stands for an agent of whose calls nothing else is seen: by its mark, else if the agent runs elsewhere."""
    if (text(given, sc.OPERATION_NAME) or "").lower() != sc.INVOKE_AGENT:
        return False
    marked = given.get(sc.OPAQUE)
    return marked if isinstance(marked, bool) else span.kind is SpanKind.CLIENT and sc.SERVER_ADDRESS in given
