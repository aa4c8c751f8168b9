"""OpenLLMetry (Traceloop): ``traceloop.*``, and its calls as they were before it spoke the conventions (``llm.request.type``, ...)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.dialects.chat import tool_definition
from otel_llm.dialects.reading import Reading, decoded, elements_of, known, listed, under
from otel_llm.protocols.values import mappings, text

_KIND: Final = "traceloop.span.kind"
_NAME: Final = "traceloop.entity.name"
_WORKFLOW: Final = "traceloop.workflow.name"
_INPUT: Final = "traceloop.entity.input"
_OUTPUT: Final = "traceloop.entity.output"
_ASSOCIATED: Final = "traceloop.association.properties."

#: Kind of an entity -> operation, and the attribute for its name. A task is a step that the conventions have no operation for.
_KINDS: Final = {
    "workflow": (sc.INVOKE_WORKFLOW, sc.WORKFLOW_NAME),
    "agent": (sc.INVOKE_AGENT, sc.AGENT_NAME),
    "tool": (sc.EXECUTE_TOOL, sc.TOOL_NAME),
    "task": ("task", None),
}
_REQUESTS: Final = {
    "chat": sc.CHAT,
    "completion": sc.TEXT_COMPLETION,
    "embedding": sc.EMBEDDINGS,
    "rerank": sc.RERANK,
}
_WHO: Final = {
    "user_id": sc.USER_ID,
    "userId": sc.USER_ID,
    "session_id": sc.SESSION_ID,
    "sessionId": sc.SESSION_ID,
    "thread_id": sc.SESSION_ID,
    "chat_id": sc.CONVERSATION_ID,
}


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """Entities, what they are associated with, the type of a request and the functions it offers."""
    if not under(given, "traceloop.", "llm.request."):
        return None
    functions = elements_of(given, "llm.request.functions")
    told = {
        sc.OPERATION_NAME: _REQUESTS.get(str(given.get("llm.request.type", "")).lower()),
        sc.TOOL_DEFINITIONS: listed([tool_definition({"type": "function", **each}) for each in mappings(functions)]),
        sc.PIPELINE_NAME: text(given.get(_WORKFLOW)),
        **_associated(given),
        **_entity(given),
    }
    spent = under(given, "llm.request.functions.", _ASSOCIATED)
    spent |= {"llm.request.type", _KIND, _NAME, _INPUT, _OUTPUT, _WORKFLOW} & given.keys()
    return Reading(known(told), spent)


def _entity(given: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(given.get(_KIND, "")).lower()
    if not kind:
        return {}
    operation, name = _KINDS.get(kind, (kind, None))
    asked, answered = given.get(_INPUT), given.get(_OUTPUT)
    told: dict[str, Any] = {sc.OPERATION_NAME: operation}
    if name is not None:
        told[name] = text(given.get(_NAME))
    if operation == sc.EXECUTE_TOOL:
        return {**told, sc.TOOL_CALL_ARGUMENTS: asked, sc.TOOL_CALL_RESULT: answered}
    return {**told, sc.INPUT_VALUE: asked, sc.OUTPUT_VALUE: answered}


def _associated(given: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in (name for name in given if name.startswith(_ASSOCIATED)):  # in their order: the first one counts
        key, value = name.removeprefix(_ASSOCIATED), given[name]
        who = _WHO.get(key)
        if who is None:
            told[f"{sc.METADATA_PREFIX}{key}"] = value if isinstance(value, str) else json_text(decoded(value))
        else:
            told.setdefault(who, str(value))
    return told
