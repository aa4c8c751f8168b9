"""Spans kept in memory, for assertions on single spans, whole trees, and what was left open."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from otel_llm import semconv

#: A span's name, and its children in the order of their starts.
Tree: TypeAlias = "tuple[str, tuple[Tree, ...]]"

_JSON_CONTENT = (semconv.SYSTEM_INSTRUCTIONS, semconv.INPUT_MESSAGES, semconv.OUTPUT_MESSAGES, semconv.TOOL_DEFINITIONS)


class SpanSink(SpanProcessor):
    """A span processor that keeps what it gets.

    ::

        with SpanSink.provider() as (provider, sink):
            ...
        assert sink.tree() == (("invoke_agent planner", (("chat gpt-5-mini", ()),)),)

    May be read while spans are still being written by other threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: dict[int, Span] = {}
        self._ended: list[ReadableSpan] = []

    @classmethod
    @contextmanager
    def provider(cls, *processors: SpanProcessor) -> Iterator[tuple[TracerProvider, SpanSink]]:
        """A tracer provider that samples everything and ends with the block, not made global, and its sink.

        ``processors`` come before the sink.
        """
        provider, sink = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False), cls()
        for processor in (*processors, sink):
            provider.add_span_processor(processor)
        try:
            yield provider, sink
        finally:
            provider.shutdown()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep a started span among the open ones."""
        with self._changed:
            self._open[_id(span)] = span

    def on_end(self, span: ReadableSpan) -> None:
        """Keep an ended span."""
        with self._changed:
            self._open.pop(_id(span), None)
            self._ended.append(span)
            self._changed.notify_all()

    @property
    def spans(self) -> list[ReadableSpan]:
        """Ended spans, in the order of their ends."""
        with self._changed:
            return list(self._ended)

    @property
    def open(self) -> list[Span]:
        """Spans that have started and not ended: leaks, at the end of a test."""
        with self._changed:
            return list(self._open.values())

    @property
    def calls(self) -> list[ReadableSpan]:
        """Ended spans of model calls, those that carry tokens."""
        return [span for span in self.spans if _attributes(span).get(semconv.OPERATION_NAME) in semconv.INFERENCE_OPERATIONS]

    def one(self, *, name: str | None = None, **attributes: Any) -> ReadableSpan:
        """The only ended span of this name with these attributes: ``sink.one(**{"gen_ai.agent.name": "planner"})``.

        Raises AssertionError, with what there is, if there is none or several.
        """
        found = [
            span
            for span in self.spans
            if name in (None, span.name) and all(_attributes(span).get(key) == value for key, value in attributes.items())
        ]
        if len(found) != 1:
            wanted = attributes if name is None else {"name": name} | attributes
            raise AssertionError(f"{len(found)} spans with {wanted}, among {[span.name for span in self.spans]}")
        return found[0]

    def tree(self) -> tuple[Tree, ...]:
        """All ended spans, nested: a name and its children. A span whose parent has not ended here stands at the top."""
        spans = sorted(self.spans, key=lambda span: span.start_time or 0)
        known = {_id(span) for span in spans}
        children: dict[int | None, list[ReadableSpan]] = {}
        for span in spans:
            above = span.parent.span_id if span.parent and span.parent.span_id in known else None
            children.setdefault(above, []).append(span)

        def below(parent: int | None) -> tuple[Tree, ...]:
            return tuple((span.name, below(_id(span))) for span in children.get(parent, ()))

        return below(None)

    @staticmethod
    def attributes(span: ReadableSpan) -> dict[str, Any]:
        """The attributes of a span, with messages, instructions and tool definitions decoded from their JSON strings."""
        content = {key: json.loads(value) for key, value in _attributes(span).items() if key in _JSON_CONTENT}
        return _attributes(span) | content

    def wait(self, count: int, timeout_s: float = 5.0) -> list[ReadableSpan]:
        """The ended spans, once there are at least ``count`` of them. Raises TimeoutError if that takes too long."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._ended) >= count, timeout_s):
                raise TimeoutError(
                    f"{len(self._ended)} of {count} spans ended within {timeout_s} s; open: {self._open_names()}"
                )
            return list(self._ended)

    def clear(self) -> None:
        """Forget ended and open spans."""
        with self._changed:
            self._ended.clear()
            self._open.clear()

    def _open_names(self) -> list[str]:
        return [span.name for span in self._open.values()]


def _id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def _attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})
