"""A law: whatever a trace is made of, each observation hangs below its nearest ancestor that Langfuse has, or is a root."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, format_span_id
from whole_traces import Traced, traced

from otel_llm import capture
from otel_llm.identity import inside
from otel_llm.testing.langfuse import FakeLangfuse

OPERATIONS = {"agent": "invoke_agent", "call": "chat", "tool": "execute_tool", "chain": "plan"}
#: Not sampled at all; recorded, but not for exporters.
UNSEEN = ("unsampled", "recorded only")
OBSERVATION_TYPES = {"call": "generation", "other": "span", "late": "tool"}


@dataclass(frozen=True)
class Step:
    """One span of a trace: of which kind, below which of those before it, and how its work came there."""

    kind: str
    #: Index of an earlier step; itself: a root.
    parent: int
    handed_over: bool
    in_a_thread: bool
    #: The smaller, the sooner it ends. Work below a span may outlive it.
    ends: int


KINDS = st.sampled_from(["agent", "call", "call", "tool", "chain", "other", "other", *UNSEEN])


@st.composite
def traces(draw: st.DrawFn, kinds: st.SearchStrategy[str] = KINDS) -> list[Step]:
    size = draw(st.integers(1, 12))
    flags = st.booleans()
    return [
        Step(
            draw(kinds), draw(st.integers(max(0, i - 4), i - 1)) if i else 0, draw(flags), draw(flags), draw(st.integers(0, 20))
        )
        for i in range(size)
    ]


class ByName(Sampler):
    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Any] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        decisions = {"unsampled": Decision.DROP, "recorded only": Decision.RECORD_ONLY}
        return SamplingResult(decisions.get(name.split("-")[1], Decision.RECORD_AND_SAMPLE), attributes)

    def get_description(self) -> str:
        return "by name"


class Run:
    """Does the steps. A step starts when all before it have started, and may have ended."""

    def __init__(self, app: Traced, steps: list[Step]) -> None:
        self.steps = steps
        self._tracer = app.tracer()
        self._spans: list[Any] = []
        self._contexts: list[Context] = []
        self._carriers: list[Any] = []

    def __call__(self) -> None:
        for index, step in enumerate(self.steps):
            self._in(step, lambda index=index, step=step: self._start(index, step))  # type: ignore[misc]
            self._end([i for i in range(index) if self.steps[i].ends <= index])
        self._end(sorted(range(len(self.steps)), key=lambda i: self.steps[i].ends))

    def _in(self, step: Step, do: Callable[[], None]) -> None:
        if step.in_a_thread:
            thread = threading.Thread(target=do)
            thread.start()
            thread.join()
        else:
            do()

    def _start(self, index: int, step: Step) -> None:
        context = self._contexts[step.parent] if index else Context()
        if index and step.handed_over:
            with self._carriers[step.parent].attach():
                context = otel_context.get_current()
        operation = OPERATIONS.get(step.kind)
        attributes = {} if operation is None else {"gen_ai.operation.name": operation}
        span = self._tracer.start_span(f"{index}-{step.kind}", context, attributes=attributes)
        context = trace.set_span_in_context(span, context)
        self._spans.append(span)
        self._contexts.append(inside(span, context) if step.kind == "agent" else context)
        token = otel_context.attach(self._contexts[-1])
        self._carriers.append(capture())
        otel_context.detach(token)

    def _end(self, indexes: list[int]) -> None:
        for index in indexes:
            span = self._spans[index]
            if span.is_recording() and span.end_time is None:
                if self.steps[index].kind == "late":
                    span.set_attribute("gen_ai.operation.name", "execute_tool")
                span.end()


class Expected:
    """Whom each span hangs below, worked out from the whole trace."""

    def __init__(self, steps: list[Step], spans: list[ReadableSpan], *, everything: bool, drop: frozenset[str]) -> None:
        self._steps = steps
        self._everything = everything
        self._drop = drop
        by_index = {int(span.name.split("-")[0]): span for span in spans}
        ids = {format_span_id(span.context.span_id): index for index, span in by_index.items() if span.context}
        #: Which other span tells of the call; that it does is :mod:`otel_llm.others`' decision.
        self._told = {
            index: ids[str(told)]
            for index, span in by_index.items()
            if (told := (span.attributes or {}).get("otel_llm.told_by.span_id")) is not None
        }

    def parents(self) -> dict[str, str | None]:
        return {self._name(i): self._named(self._above(i)) for i in range(len(self._steps)) if self._is_sent(i)}

    def _is_sent(self, index: int) -> bool:
        kind = self._steps[index].kind
        if kind in UNSEEN or index in self._told or (kind == "other" and not self._everything):
            return False
        return OBSERVATION_TYPES.get(kind, kind) not in self._drop

    def _above(self, index: int) -> int | None:
        higher = self._parent(index)
        return None if higher is None else self._itself_or_above(higher)

    def _itself_or_above(self, index: int) -> int | None:
        if index in self._told:
            return self._itself_or_above(self._told[index])
        if self._steps[index].kind == "unsampled":
            around = self._around(index)
            return None if around is None else self._itself_or_above(around)
        return index if self._is_sent(index) else self._above(index)

    def _around(self, index: int) -> int | None:
        """What is above a span that is not sampled, only the agent around it tells, or who handed the work over."""
        higher = self._parent(index)
        if higher is None or self._steps[index].handed_over:
            return None if higher is None else self._handing_over(higher)
        return higher if self._steps[higher].kind == "agent" else self._around(higher)

    def _handing_over(self, index: int) -> int | None:
        """A carrier knows the nearest GenAI span."""
        if index in self._told:
            return self._handing_over(self._told[index])
        if self._steps[index].kind == "unsampled":
            return self._around(index)
        higher = self._parent(index)
        if self._steps[index].kind not in (*UNSEEN, "other"):
            return index
        return None if higher is None else self._handing_over(higher)

    def _parent(self, index: int) -> int | None:
        return self._steps[index].parent if index else None

    def _name(self, index: int) -> str:
        return f"{index}-{self._steps[index].kind}"

    def _named(self, index: int | None) -> str | None:
        return None if index is None else self._name(index)


@pytest.fixture(params=["direct", "dual"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[FakeLangfuse]:
    with FakeLangfuse(path=request.param) as made:
        yield made


SETTINGS = st.fixed_dictionaries(
    {
        "spans": st.sampled_from(["genai", "all"]),
        "drop": st.frozensets(st.sampled_from(["agent", "tool", "chain", "span"]), max_size=2),
    }
)
some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def parents_in(langfuse: FakeLangfuse) -> dict[str, str | None]:
    rows = langfuse.observations
    names = {row["id"]: row["name"] for row in rows}
    assert [row["name"] for row in rows if row.get("parent_span_id", row["id"]) not in names] == [], "orphans"
    return {row["name"]: names.get(row.get("parent_span_id", "")) for row in rows}


@some
@given(steps=traces(), chosen=SETTINGS)
def test_each_hangs_below_its_nearest_ancestor_that_is_sent(
    server: FakeLangfuse, steps: list[Step], chosen: dict[str, Any]
) -> None:
    server.clear()
    with traced(server, sampler=ByName(), **chosen) as app:
        Run(app, steps)()
        app.stored()
        expected = Expected(steps, app.sink.spans, everything=chosen["spans"] == "all", drop=chosen["drop"])
        assert parents_in(server) == expected.parents()
        assert server.rejected == []


@some
@given(steps=traces(KINDS | st.just("late")), chosen=SETTINGS)
def test_nothing_is_orphaned_or_goes_in_circles_when_spans_say_late_what_they_are(
    server: FakeLangfuse, steps: list[Step], chosen: dict[str, Any]
) -> None:
    server.clear()
    with traced(server, sampler=ByName(), **chosen) as app:
        Run(app, steps)()
        app.stored()
        parents = parents_in(server)
    for name in parents:
        seen: list[str] = []
        above: str | None = name
        while above is not None:
            assert above not in seen
            seen.append(above)
            above = parents[above]
