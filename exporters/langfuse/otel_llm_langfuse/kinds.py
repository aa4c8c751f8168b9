"""Which type of observation a span becomes."""

from __future__ import annotations

from typing import Final

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
AGGREGATES: Final = frozenset({sc.INVOKE_AGENT, "create_agent", sc.INVOKE_WORKFLOW, "plan", sc.EXECUTE_TOOL})

_KNOWN: Final = frozenset(
    {GENERATION, EMBEDDING, AGENT, CHAIN, TOOL, RETRIEVER, EVALUATOR, GUARDRAIL, SPAN, EVENT},
)

_BY_OPERATION: Final = {
    sc.CHAT: GENERATION,
    sc.TEXT_COMPLETION: GENERATION,
    sc.GENERATE_CONTENT: GENERATION,
    "completion": GENERATION,
    "generate": GENERATION,
    sc.EMBEDDINGS: EMBEDDING,
    sc.INVOKE_AGENT: AGENT,
    "create_agent": AGENT,
    sc.INVOKE_WORKFLOW: CHAIN,
    "plan": CHAIN,
    sc.EXECUTE_TOOL: TOOL,
    "retrieval": RETRIEVER,
    "rerank": RETRIEVER,
    "search_memory": RETRIEVER,
    "fetch_response": SPAN,
}

_BY_OPENINFERENCE_KIND: Final = {
    "llm": GENERATION,
    "embedding": EMBEDDING,
    "agent": AGENT,
    "chain": CHAIN,
    "tool": TOOL,
    "retriever": RETRIEVER,
    "reranker": RETRIEVER,
    "guardrail": GUARDRAIL,
    "evaluator": EVALUATOR,
}


def observation_type(given: Given) -> str:
    """The type that was asked for, else that of the operation; a span that only has a model is a generation."""
    asked = (text(given, names.TYPE) or "").lower()
    if asked in _KNOWN:
        return asked
    operation = (text(given, sc.OPERATION_NAME) or "").lower()
    kind = (text(given, "openinference.span.kind") or "").lower()
    fallback = GENERATION if text(given, sc.REQUEST_MODEL, sc.RESPONSE_MODEL) else SPAN
    return _BY_OPERATION.get(operation) or _BY_OPENINFERENCE_KIND.get(kind) or fallback
