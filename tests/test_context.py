"""Who a span belongs to: agents, workflows, identities."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from otel_llm import agent, identify, tool, workflow
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer


def call_llm(name: str = "gpt-4o") -> None:
    """A span as an LLM call makes it."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": name}
    tracer().start_span(f"chat {name}", kind=SpanKind.CLIENT, attributes=attributes).end()


def stamps(sink: SpanSink, name: str) -> dict[str, Any]:
    return sink.attributes(sink.one(name=name))


def test_an_agent_inside_a_workflow(sink: SpanSink) -> None:
    with workflow("support"), agent("strategist", description="plans"):
        call_llm()

    assert sink.tree() == (("invoke_workflow support", (("invoke_agent strategist", (("chat gpt-4o", ()),)),)),)
    root = sink.one(name="invoke_workflow support")
    root_id = f"{root.context.span_id:016x}"
    pipeline = {
        "otel_llm.pipeline.name": "support",
        "otel_llm.pipeline.span_id": root_id,
        "otel_llm.pipeline.primary": True,
    }
    assert root.kind is SpanKind.INTERNAL
    assert dict(root.attributes or {}) == {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "support",
        **pipeline,
    }
    assert stamps(sink, "invoke_agent strategist") == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "strategist",
        "gen_ai.agent.description": "plans",
        **pipeline,
    }
    assert stamps(sink, "chat gpt-4o") == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.agent.name": "strategist",
        **pipeline,
    }


def test_identity_is_on_each_span_of_its_block_and_on_none_after_it(sink: SpanSink) -> None:
    with identify(user_id=42, session_id="s1", tags=["vip"], metadata={"plan": "gold"}):
        with identify(tags=["beta", "vip"], metadata={"plan": "blue", "n": 1}):
            call_llm("inner")
        call_llm("outer")
    call_llm("after")

    assert {k: v for k, v in stamps(sink, "chat inner").items() if not k.startswith("gen_ai")} == {
        "user.id": "42",
        "session.id": "s1",
        "otel_llm.tags": ("vip", "beta"),
        "otel_llm.metadata.plan": "blue",
        "otel_llm.metadata.n": "1",
    }
    assert stamps(sink, "chat outer")["otel_llm.tags"] == ("vip",)
    assert set(stamps(sink, "chat after")) == {"gen_ai.operation.name", "gen_ai.request.model"}


def test_one_tag_may_be_given_as_a_string(sink: SpanSink) -> None:
    with identify(tags="vip"):
        call_llm()
    assert stamps(sink, "chat gpt-4o")["otel_llm.tags"] == ("vip",)


async def test_siblings_under_gather_never_see_each_other(sink: SpanSink) -> None:
    async def work(name: str) -> None:
        async with agent(name, user_id=f"user of {name}"):
            await asyncio.sleep(0)
            call_llm(f"model of {name}")

    with workflow("support"):
        await asyncio.gather(*(work(name) for name in "abc"))

    for name in "abc":
        seen = stamps(sink, f"chat model of {name}")
        assert (seen["gen_ai.agent.name"], seen["user.id"]) == (name, f"user of {name}")
        parent = sink.one(name=f"invoke_agent {name}").context.span_id
        assert sink.one(name=f"chat model of {name}").parent.span_id == parent  # type: ignore[union-attr]


async def test_as_a_decorator_each_call_is_a_span_of_its_own(sink: SpanSink) -> None:
    @agent("sync")
    def plain(value: int) -> int:
        return value + 1

    @agent("async")
    async def coroutine(value: int) -> int:
        await asyncio.sleep(0)
        return value + 1

    assert plain(1) == 2
    assert await asyncio.gather(coroutine(1), coroutine(2)) == [2, 3]
    assert sorted(span.name for span in sink.spans) == ["invoke_agent async", "invoke_agent async", "invoke_agent sync"]
    assert plain.__name__ == "plain"


async def test_one_scope_may_serve_several_tasks_at_once(sink: SpanSink) -> None:
    support = workflow("support")

    async def work(name: str, rounds: int) -> None:
        async with support as span:
            for _ in range(rounds):
                await asyncio.sleep(0)
                assert trace.get_current_span() is span
            assert span.is_recording()
            call_llm(name)
        assert not span.is_recording()
        assert trace.get_current_span() is trace.INVALID_SPAN

    before = otel_context.get_current()
    await asyncio.gather(work("a", 3), work("b", 1), work("c", 2))

    assert otel_context.get_current() == before
    assert sorted(sink.tree()) == [("invoke_workflow support", ((f"chat {name}", ()),)) for name in "abc"]


async def test_siblings_in_a_task_group_never_see_each_other(sink: SpanSink) -> None:
    @agent("worker")
    async def work(name: str) -> None:
        with identify(user_id=name, tags=[name]):
            await asyncio.sleep(0)
            async with agent(name):
                await asyncio.sleep(0)
                call_llm(f"of {name}")

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(work(name))

    for name in "abc":
        seen = stamps(sink, f"chat of {name}")
        assert (seen["gen_ai.agent.name"], seen["user.id"], seen["otel_llm.tags"]) == (name, name, (name,))


def test_a_span_that_cannot_be_made_costs_the_work_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise ValueError("no")

    monkeypatch.setattr("otel_llm.guard.faults.logged_at", float("inf"))
    before = otel_context.get_current()
    with agent("a", user_id=Unspeakable()) as span:
        assert not span.is_recording()
    assert otel_context.get_current() is before


def test_an_exception_passes_unchanged_and_marks_the_span(sink: SpanSink) -> None:
    error = ValueError("no such customer")
    with pytest.raises(ValueError) as raised, agent("strategist"):  # noqa: PT011  (identity is asserted)
        raise error

    span = sink.one(name="invoke_agent strategist")
    assert raised.value is error
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "ValueError: no such customer")
    assert (span.attributes or {})["error.type"] == "ValueError"


async def test_cancelled_work_is_marked(sink: SpanSink) -> None:
    @agent("slow")
    async def work() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert outcome(sink, "invoke_agent slow") == ("ERROR", "asyncio.CancelledError", "cancelled")


def outcome(sink: SpanSink, name: str) -> tuple[str, Any, Any]:
    span = sink.one(name=name)
    attributes = span.attributes or {}
    return span.status.status_code.name, attributes.get("error.type"), attributes.get("otel_llm.ending")


SCOPES = pytest.mark.parametrize(
    ("scope", "name"),
    [(agent("a"), "invoke_agent a"), (workflow("w"), "invoke_workflow w"), (tool("t"), "execute_tool t")],
    ids=["agent", "workflow", "tool"],
)


@SCOPES
async def test_work_that_is_timed_out_is_marked_as_cancelled(sink: SpanSink, scope: Any, name: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001), scope:
            await asyncio.sleep(60)
    assert outcome(sink, name) == ("ERROR", "asyncio.CancelledError", "cancelled")


@SCOPES
async def test_a_call_that_is_timed_out_is_marked_as_cancelled(sink: SpanSink, scope: Any, name: str) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scope(asyncio.sleep)(60), 0.001)
    assert outcome(sink, name) == ("ERROR", "asyncio.CancelledError", "cancelled")


@SCOPES
async def test_work_that_times_out_by_itself_is_marked(sink: SpanSink, scope: Any, name: str) -> None:
    with pytest.raises(TimeoutError):
        async with scope, asyncio.timeout(0.001):
            await asyncio.sleep(60)
    assert outcome(sink, name) == ("ERROR", "TimeoutError", None)


async def test_the_siblings_that_a_task_group_cancels_are_marked(sink: SpanSink) -> None:
    @agent("failing")
    async def failing() -> None:
        raise ValueError("no")

    @agent("waiting")
    async def waiting() -> None:
        await asyncio.sleep(60)

    @workflow("support")
    async def support() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(waiting())
            await asyncio.sleep(0)
            group.create_task(failing())

    with pytest.raises(ExceptionGroup):
        await support()
    assert outcome(sink, "invoke_agent waiting") == ("ERROR", "asyncio.CancelledError", "cancelled")
    assert outcome(sink, "invoke_agent failing") == ("ERROR", "ValueError", None)
    assert outcome(sink, "invoke_workflow support") == ("ERROR", "ExceptionGroup", None)


def test_a_block_in_a_generator_that_is_closed_is_abandoned_and_not_failed(
    sink: SpanSink, caplog: pytest.LogCaptureFixture
) -> None:
    def steps() -> Iterator[int]:
        with agent("inside"), identify(user_id="42"):
            yield 1

    started = steps()
    contextvars.copy_context().run(next, started)
    started.close()
    assert outcome(sink, "invoke_agent inside") == ("UNSET", None, "abandoned")
    assert caplog.messages == []
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_an_exception_that_cannot_tell_its_message_passes(sink: SpanSink) -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no")

    with pytest.raises(Mute), agent("a"):
        raise Mute
    assert sink.one(name="invoke_agent a").status.description == "Mute"


# --- where other spans lie between -----------------------------------------------------------------------------------


def test_a_span_below_an_http_span_knows_its_nearest_genai_ancestor(sink: SpanSink) -> None:
    with agent("strategist") as span, tracer().start_as_current_span("GET /customers"):
        with tracer().start_as_current_span("SELECT"):
            call_llm()
        ancestor = f"{span.get_span_context().span_id:016x}"

    assert stamps(sink, "chat gpt-4o")["otel_llm.ancestor.span_id"] == ancestor
    assert stamps(sink, "chat gpt-4o")["gen_ai.agent.name"] == "strategist"
    assert "gen_ai.agent.name" not in stamps(sink, "SELECT")
    assert "otel_llm.ancestor.span_id" not in stamps(sink, "GET /customers")


def test_below_a_web_server_span_alone_there_is_no_genai_ancestor(sink: SpanSink) -> None:
    with tracer().start_as_current_span("POST /ask"), workflow("support"):
        call_llm()

    assert stamps(sink, "invoke_workflow support")["otel_llm.ancestor.span_id"] == ""
    assert "otel_llm.ancestor.span_id" not in stamps(sink, "chat gpt-4o")


def test_the_second_pipeline_of_a_trace_is_not_primary(sink: SpanSink) -> None:
    with tracer().start_as_current_span("POST /ask"):
        with workflow("first"):
            call_llm("one")
        with workflow("second"):
            call_llm("two")

    assert stamps(sink, "chat one")["otel_llm.pipeline.primary"] is True
    assert stamps(sink, "chat two")["otel_llm.pipeline.primary"] is False
    assert stamps(sink, "chat two")["otel_llm.pipeline.name"] == "second"


def test_what_is_not_of_a_traces_first_pipeline_knows_the_traces_name(sink: SpanSink) -> None:
    with tracer().start_as_current_span("POST /ask"):
        call_llm("before")
        with workflow("first"):
            call_llm("one")
        with workflow("second"):
            call_llm("two")
        call_llm("after")

    names = {span.name: (span.attributes or {}).get("otel_llm.trace.name") for span in sink.spans}
    assert names == {
        "POST /ask": "first",
        "chat before": None,
        "invoke_workflow first": None,
        "chat one": None,
        "invoke_workflow second": "first",
        "chat two": None,
        "chat after": "first",
    }


def test_work_below_a_span_that_is_not_sampled_belongs_to_the_agent_around_it(sink: SpanSink) -> None:
    with agent("strategist", user_id="42") as span:
        unsampled = NonRecordingSpan(SpanContext(span.get_span_context().trace_id, 1, is_remote=False))
        with trace.use_span(unsampled):
            call_llm()
    seen = stamps(sink, "chat gpt-4o")
    assert seen["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"
    assert (seen["gen_ai.agent.name"], seen["otel_llm.pipeline.name"]) == ("strategist", "strategist")


def test_a_parent_named_by_its_id_alone_is_taken_as_it_is(sink: SpanSink) -> None:
    parent = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(parent):
        call_llm()
        with tracer().start_as_current_span("GET /customers"):
            call_llm("below")
    assert "otel_llm.ancestor.span_id" not in stamps(sink, "chat gpt-4o")
    assert stamps(sink, "chat below")["otel_llm.ancestor.span_id"] == f"{8:016x}"


def test_what_an_instrumentation_set_itself_is_kept(sink: SpanSink) -> None:
    with identify(user_id="1"):
        tracer().start_span("x", attributes={"user.id": "theirs"}).end()
    assert stamps(sink, "x")["user.id"] == "theirs"


def test_nothing_of_an_identity_is_put_into_baggage() -> None:
    from opentelemetry import baggage

    with identify(user_id="42", session_id="s1", tags=["vip"]), agent("a"):
        assert baggage.get_all() == {}
