"""What a test may leave behind: OpenTelemetry's context changed, and spans of otel-llm open."""

from __future__ import annotations

import gc
import threading

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import get_current_span

from otel_llm.others import is_ours


class OpenSpans(SpanProcessor):
    """The spans of otel-llm that have started and not ended, whatever provider they are of; others' are their own business."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: dict[int, Span] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember a span of ours."""
        if is_ours(span):
            with self._lock:
                self._open[span.context.span_id] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Forget a span."""
        with self._lock:
            self._open.pop(span.context.span_id, None)

    def now(self) -> dict[int, str]:
        """The names of the open spans, by their ids, in the order of their starts."""
        with self._lock:
            return {span_id: span.name for span_id, span in self._open.items()}

    def since(self, before: dict[int, str]) -> list[str]:
        """The names of the spans that are open now and were not ``before``; streams that nobody holds are given their end first."""
        if self.now().keys() - before.keys():
            gc.collect()
        return [name for span_id, name in self.now().items() if span_id not in before]


def put_back(before: Context) -> str | None:
    """Make ``before`` the current context again; returns what had become of it, or None if nothing had."""
    after = otel_context.get_current()
    changed = [name for name in {**before, **after} if before.get(name, _MISSING) is not after.get(name, _MISSING)]
    if not changed:
        return None
    otel_context.attach(before)
    was, now = _span_of(before), _span_of(after)
    if was != now:
        return f"the current span is {now}, and was {was}"
    return f"it differs in {', '.join(sorted(changed))}"


_MISSING = object()


def _span_of(context: Context) -> str:
    span = get_current_span(context)
    if isinstance(span, ReadableSpan):
        return repr(span.name)
    return format(span.get_span_context().span_id, "016x") if span.get_span_context().is_valid else "none"
