"""The names that the legacy tracing gave to pipelines and spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm_insforge.scalars import text

#: What the legacy tracing called providers that the conventions name otherwise.
DEFAULT_SPAN_NAMES: Final[Mapping[str, str]] = {"llm:anthropic": "llm:claude"}

_LLM_OPERATIONS: Final = sc.INFERENCE_OPERATIONS | {sc.EMBEDDINGS}


def pipeline_name(span: ReadableSpan, attributes: Mapping[str, Any]) -> str:
    """``pipeline_name``, a VARCHAR(50): the stamped name of the pipeline, else the root's own."""
    names = (attributes.get(key) for key in (sc.PIPELINE_NAME, sc.WORKFLOW_NAME, sc.AGENT_NAME))
    name = next((known for name in names if (known := text(name))), None) or text(span.name) or "unknown"
    return name.removeprefix("pipeline:")[:50] or "unknown"


def span_name(span: ReadableSpan, attributes: Mapping[str, Any]) -> str:
    """``agent:``, ``llm:``, ``tool:`` or ``workflow:`` with the name of what was run; other operations keep the span's name."""
    operation = attributes[sc.OPERATION_NAME]
    if operation == sc.INVOKE_AGENT:
        return f"agent:{text(attributes.get(sc.AGENT_NAME)) or 'unknown'}"
    if operation in _LLM_OPERATIONS:
        return f"llm:{text(attributes.get(sc.PROVIDER_NAME)) or 'unknown'}"
    if operation == sc.EXECUTE_TOOL:
        return f"tool:{text(attributes.get(sc.TOOL_NAME)) or 'unknown'}"
    if operation == sc.INVOKE_WORKFLOW:
        return f"workflow:{text(attributes.get(sc.WORKFLOW_NAME)) or 'unknown'}"
    return text(span.name) or str(operation)
