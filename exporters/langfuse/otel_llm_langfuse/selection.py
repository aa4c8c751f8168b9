"""Which spans go to Langfuse."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm_langfuse import names


def wants(span: ReadableSpan, public_key: str) -> bool:
    """Whether ``span`` is a GenAI span, or one of Langfuse's own SDK, and not meant for another Langfuse project.

    A call that another library's span tells of already is left out: it would be counted twice.
    """
    if sc.TOLD_BY in (span.attributes or {}):
        return False
    scope = span.instrumentation_scope
    if scope is not None and scope.name == names.SDK_SCOPE:
        return (scope.attributes or {}).get(names.SDK_SCOPE_PUBLIC_KEY, public_key) == public_key
    return sc.is_genai(span.attributes or {})
