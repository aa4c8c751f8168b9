"""OpenInference: ``openinference.span.kind``, ``llm.*``, ``embedding.*``, ``tool.*``, ``retrieval.*``, ``input.value``.

Names as of openinference-semantic-conventions 0.1; its SDK instrumentations keep the bodies of request and response, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.dialects.chat import tool_definition
from otel_llm.dialects.openinference_bodies import facts_of_bodies
from otel_llm.dialects.openinference_messages import messages
from otel_llm.dialects.reading import Reading, decoded, decoded_object, elements_of, known, listed, under
from otel_llm.dialects.words import finish_reason, provider
from otel_llm.protocols.values import mapping, text

KIND: Final = "openinference.span.kind"

_OPERATIONS: Final = {
    "LLM": sc.CHAT,
    "EMBEDDING": sc.EMBEDDINGS,
    "AGENT": sc.INVOKE_AGENT,
    "CHAIN": sc.INVOKE_WORKFLOW,
    "TOOL": sc.EXECUTE_TOOL,
    "RETRIEVER": sc.RETRIEVAL,
    "RERANKER": sc.RERANK,
    "GUARDRAIL": "apply_guardrail",
    "EVALUATOR": "evaluate",
}
#: Kinds of spans that are named after what they run, and the attribute for its name.
_NAMED: Final = {"AGENT": sc.AGENT_NAME, "CHAIN": sc.WORKFLOW_NAME}
_FLAT: Final = (
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.tools.",
    "llm.prompts.",
    "llm.choices.",
    "llm.invocation_parameters",
    "embedding.embeddings.",
    "embedding.invocation_parameters",
    "retrieval.documents.",
    "reranker.",
    "input.mime_type",
    "output.mime_type",
    "tag.tags",
)


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """A span with a kind of OpenInference's; nothing of any other."""
    if KIND not in given:
        return None
    kind = str(given[KIND]).upper()
    content = _CONTENT.get(kind, _of_a_call)(given)  # some agents tell messages, too
    told = {sc.OPERATION_NAME: _OPERATIONS.get(kind), **_who(given), **content}
    if kind in _NAMED:
        told[_NAMED[kind]] = text(given.get("agent.name")) or text(span.name)
    told = known(told)
    if kind in ("LLM", "EMBEDDING"):
        told = {**facts_of_bodies(given, kind), **told}
    spent = under(given, *_FLAT) | {KIND}
    if told.keys() & _CARRYING:
        spent |= {sc.INPUT_VALUE, sc.OUTPUT_VALUE} - told.keys()
    return Reading(told, spent | _metadata_names(given))


#: Where these are told, the values of input and output would say the same again.
_CARRYING: Final = {
    sc.INPUT_MESSAGES,
    sc.OUTPUT_MESSAGES,
    sc.TOOL_CALL_ARGUMENTS,
    sc.TOOL_CALL_RESULT,
    sc.RETRIEVAL_QUERY,
    sc.RETRIEVAL_DOCUMENTS,
}


def _who(given: Mapping[str, Any]) -> dict[str, Any]:
    """User-given metadata and tags, in our names for them."""
    metadata = decoded_object(given.get("metadata"))
    told: dict[str, Any] = {f"{sc.METADATA_PREFIX}{key}": _as_text(value) for key, value in metadata.items()}
    tags = decoded(given.get("tag.tags"))
    if isinstance(tags, list):
        told[sc.TAGS] = tuple(tag for tag in tags if isinstance(tag, str))
    return told


def _metadata_names(given: Mapping[str, Any]) -> set[str]:
    return {"metadata"} if decoded_object(given.get("metadata")) else set()


# --- content, by kind -------------------------------------------------------------------------------------------------


def _of_a_call(given: Mapping[str, Any]) -> dict[str, Any]:
    asked, answered = messages(given, "llm.input_messages", "user"), messages(given, "llm.output_messages", "assistant")
    schemas = (
        decoded_object(mapping(mapping(each).get("tool")).get("json_schema")) for each in elements_of(given, "llm.tools")
    )
    tools = [tool_definition(schema) for schema in schemas if schema]
    told: dict[str, Any] = {sc.TOOL_DEFINITIONS: listed(tools)}
    if not asked and (prompts := _texts(given, "llm.prompts", "prompt")):
        asked, answered = _said("user", prompts), _said("assistant", _texts(given, "llm.choices", "completion"))
        told[sc.OPERATION_NAME] = sc.TEXT_COMPLETION
    if len(answered) == 1 and (reason := finish_reason(given.get("llm.finish_reason"))):
        answered = [{**answered[0], "finish_reason": reason}]
    if asked and asked[0]["role"] == "system" and _keeps_system_apart(given):
        told[sc.SYSTEM_INSTRUCTIONS] = listed(asked[0]["parts"])
        asked = asked[1:]
    return told | {sc.INPUT_MESSAGES: listed(asked), sc.OUTPUT_MESSAGES: listed(answered)}


def _keeps_system_apart(given: Mapping[str, Any]) -> bool:
    return provider(given.get("llm.provider") or given.get("llm.system")) == "anthropic"


def _texts(given: Mapping[str, Any], prefix: str, below: str) -> list[str]:
    """Texts of a completion without roles: ``llm.prompts.0.prompt.text``."""
    found = (mapping(mapping(each).get(below)).get("text") for each in elements_of(given, prefix))
    return [each for each in found if isinstance(each, str)]


def _said(role: str, texts: list[str]) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts]


def _of_an_embedding(given: Mapping[str, Any]) -> dict[str, Any]:
    """The texts; the vectors are of no use to anybody who reads a trace."""
    texts = _texts(given, "embedding.embeddings", "embedding")
    parts = [{"type": "text", "content": text} for text in texts]
    return {sc.INPUT_MESSAGES: listed([{"role": "user", "parts": parts}] if parts else [])}


def _of_a_tool(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        sc.TOOL_NAME: text(given.get("tool.name")),
        sc.TOOL_CALL_ID: text(given.get("tool_call.id")) or text(given.get("tool.id")),
        sc.TOOL_CALL_ARGUMENTS: given.get(sc.INPUT_VALUE) or given.get("tool.parameters"),
        sc.TOOL_CALL_RESULT: given.get(sc.OUTPUT_VALUE),
    }


def _of_a_retriever(given: Mapping[str, Any]) -> dict[str, Any]:
    documents = _documents(given, "retrieval.documents")
    return {sc.RETRIEVAL_QUERY: given.get(sc.INPUT_VALUE), sc.RETRIEVAL_DOCUMENTS: documents or given.get(sc.OUTPUT_VALUE)}


def _of_a_reranker(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        sc.RETRIEVAL_QUERY: given.get("reranker.query") or given.get(sc.INPUT_VALUE),
        sc.RETRIEVAL_DOCUMENTS: _documents(given, "reranker.output_documents") or given.get(sc.OUTPUT_VALUE),
        sc.REQUEST_MODEL: text(given.get("reranker.model_name")),
    }


def _documents(given: Mapping[str, Any], prefix: str) -> str | None:
    found = [mapping(mapping(each).get("document")) for each in elements_of(given, prefix)]
    return listed([{**each, "metadata": decoded(each["metadata"])} if "metadata" in each else each for each in found if each])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


_CONTENT: Final = {
    "EMBEDDING": _of_an_embedding,
    "TOOL": _of_a_tool,
    "RETRIEVER": _of_a_retriever,
    "RERANKER": _of_a_reranker,
}
