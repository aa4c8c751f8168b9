"""Who a span belongs to: agents, workflows, identities, background tasks, queues."""

from __future__ import annotations

import asyncio
import pickle
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY

from otel_llm import Carrier, agent, background, capture, identify, spawn, suppression, workflow
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


def test_a_generator_cannot_be_decorated() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def more() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, more):
        with pytest.raises(TypeError, match="is a generator"):
            agent("a")(function)


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

    seen = stamps(sink, "invoke_agent slow")
    assert (seen["error.type"], seen["otel_llm.ending"]) == ("asyncio.CancelledError", "cancelled")


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


# --- background tasks -------------------------------------------------------------------------------------------------


async def test_a_task_spawned_while_the_parent_records_is_its_child_even_if_it_ends_later(sink: SpanSink) -> None:
    gate = asyncio.Event()

    @agent("memory")
    async def remember() -> None:
        await gate.wait()
        call_llm()

    with workflow("support", user_id="42"):
        task = spawn(remember(), name="memory")
    gate.set()
    await task

    assert task.get_name() == "memory"
    assert sink.tree() == (("invoke_workflow support", (("invoke_agent memory", (("chat gpt-4o", ()),)),)),)
    assert stamps(sink, "chat gpt-4o")["user.id"] == "42"
    assert stamps(sink, "chat gpt-4o")["otel_llm.pipeline.name"] == "support"


async def test_a_task_spawned_after_the_parent_has_ended_is_a_linked_root_for_the_same_user(sink: SpanSink) -> None:
    span = tracer().start_span("request", attributes={"gen_ai.operation.name": "invoke_workflow"})
    token = otel_context.attach(trace.set_span_in_context(span))
    span.end()

    async def later() -> None:
        with agent("memory"):
            call_llm()

    with identify(user_id="42", session_id="s1"):
        await spawn(later())
    otel_context.detach(token)

    root = sink.one(name="invoke_agent memory")
    assert root.parent is None
    assert root.context.trace_id != span.get_span_context().trace_id
    assert [link.context for link in root.links] == [span.get_span_context()]
    assert sink.one(name="chat gpt-4o").links == ()
    assert ((root.attributes or {})["user.id"], (root.attributes or {})["session.id"]) == ("42", "s1")


async def test_a_task_spawned_from_a_queues_consumer_belongs_where_the_item_came_from(sink: SpanSink) -> None:
    with workflow("support"):
        carrier = capture()

    async def later() -> None:
        call_llm()

    with carrier.attach():
        await spawn(later())

    root, call = sink.one(name="invoke_workflow support"), sink.one(name="chat gpt-4o")
    assert call.parent is not None
    assert call.parent.span_id == root.context.span_id
    assert stamps(sink, "chat gpt-4o")["otel_llm.pipeline.name"] == "support"


async def test_a_linked_root_is_of_no_pipeline_but_its_own(sink: SpanSink) -> None:
    with workflow("support"):
        carrier = capture()

    async def later() -> None:
        with agent("memory"):
            call_llm()

    with carrier.attach():
        span = tracer().start_span("consume")
        token = otel_context.attach(trace.set_span_in_context(span))
        span.end()
        await spawn(later())
        otel_context.detach(token)

    assert stamps(sink, "chat gpt-4o")["otel_llm.pipeline.name"] == "memory"
    assert stamps(sink, "chat gpt-4o")["otel_llm.pipeline.primary"] is True


async def test_a_task_spawned_inside_another_librarys_call_is_free_of_its_suppression(sink: SpanSink) -> None:
    async def look() -> object:
        return otel_context.get_value(CLIENT_INFERENCE_CONTEXT_KEY)

    with TelemetryHandler().inference("openai", request_model="gpt-4o"):
        assert await asyncio.create_task(look()) is not None
        assert await spawn(look()) is None


def test_the_marks_of_suppression_are_those_of_util_genai() -> None:
    from opentelemetry.util.genai import invocation

    keys = [getattr(invocation, name) for name in invocation.__all__ if name.endswith("_CONTEXT_KEY")]
    assert CLIENT_INFERENCE_CONTEXT_KEY == suppression.INFERENCE_KEY
    assert suppression.without_suppression(Context(dict.fromkeys([*keys, "mine"], 1))) == {"mine": 1}


async def test_spawn_keeps_the_task_alive_and_lets_go_of_it() -> None:
    task = spawn(asyncio.sleep(0))
    assert task in background._running
    await task
    await asyncio.sleep(0)
    assert task not in background._running


# --- queues, threads, processes ---------------------------------------------------------------------------------------


def test_work_from_a_queue_belongs_to_whoever_put_it_there(sink: SpanSink) -> None:
    jobs: queue.Queue[Carrier | None] = queue.Queue()

    def worker() -> None:
        while (carrier := jobs.get()) is not None:
            with carrier.attach():
                call_llm()

    thread = threading.Thread(target=worker)
    thread.start()
    with workflow("support", user_id="42"), agent("strategist"):
        jobs.put(capture())
    jobs.put(None)
    thread.join()

    call = sink.one(name="chat gpt-4o")
    parent = sink.one(name="invoke_agent strategist")
    assert (call.context.trace_id, call.parent.span_id) == (parent.context.trace_id, parent.context.span_id)  # type: ignore[union-attr]
    seen = stamps(sink, "chat gpt-4o")
    assert (seen["gen_ai.agent.name"], seen["user.id"], seen["otel_llm.pipeline.name"]) == ("strategist", "42", "support")
    assert seen["otel_llm.ancestor.span_id"] == f"{parent.context.span_id:016x}"


def test_a_carrier_taken_below_an_http_span_tells_the_genai_ancestor(sink: SpanSink) -> None:
    with agent("strategist") as span, tracer().start_as_current_span("PUT /queue"):
        carrier = capture()
    with carrier.attach():
        call_llm()
    assert stamps(sink, "chat gpt-4o")["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"


def in_another_process(carrier: Carrier) -> dict[str, Any]:
    with SpanSink.provider() as (provider, spans):
        from otel_llm.tracing import use_provider

        use_provider(provider)
        with carrier.attach():
            call_llm()
        span = spans.one(name="chat gpt-4o")
        assert span.parent is not None
        return {"trace": span.context.trace_id, "parent": span.parent.span_id, **(span.attributes or {})}


def test_a_carrier_crosses_processes(sink: SpanSink) -> None:
    with workflow("support", session_id="s1"), agent("strategist") as span:
        carrier = capture()
    assert pickle.loads(pickle.dumps(carrier)) == carrier

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seen = pool.submit(in_another_process, carrier).result(timeout=60)

    assert (seen["trace"], seen["parent"]) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert (seen["gen_ai.agent.name"], seen["session.id"], seen["otel_llm.pipeline.name"]) == ("strategist", "s1", "support")


def test_nothing_of_an_identity_is_put_into_baggage() -> None:
    from opentelemetry import baggage

    with identify(user_id="42", session_id="s1", tags=["vip"]), agent("a"):
        assert baggage.get_all() == {}
