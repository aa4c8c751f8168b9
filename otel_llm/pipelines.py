"""Which pipeline was the first of each trace, and so names it, for the last traces seen."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from opentelemetry.sdk.trace import Span
from opentelemetry.trace import format_span_id

from otel_llm import semconv as sc
from otel_llm.identity import Pipeline

_TRACES_REMEMBERED: Final = 10_000


class FirstPipelines:
    """Span id and name of the first pipeline of each trace."""

    def __init__(self) -> None:
        self._first: OrderedDict[int, tuple[int, str]] = OrderedDict()

    def opened_by(self, span: Span) -> Pipeline:
        """The pipeline whose root ``span`` is. It is the first of its trace only if the trace did not come from elsewhere.

        Each step is atomic, so that no lock is needed, which a forked child might find held, or a finaliser that starts a span.
        """
        context, own = span.get_span_context(), span.attributes or {}
        name = str(own.get(sc.WORKFLOW_NAME) or own.get(sc.AGENT_NAME) or span.name.removeprefix("pipeline:"))
        remote = span.parent is not None and span.parent.is_remote
        first, _ = self._first.setdefault(context.trace_id, (context.span_id, name))
        if len(self._first) > _TRACES_REMEMBERED:
            self._first.popitem(last=False)
        return Pipeline(name, format_span_id(context.span_id), not remote and first == context.span_id)

    def name_of_trace(self, span: Span) -> str | None:
        """The name of the first pipeline so far in the trace of ``span``."""
        first = self._first.get(span.get_span_context().trace_id)
        return None if first is None else first[1]
