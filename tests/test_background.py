"""Background tasks: where their spans belong, what workers leave behind, and what becomes of failures."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from belonging import call_llm, links_of, parent_of, stamps
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import CLIENT_INFERENCE_CONTEXT_KEY

from otel_llm import agent, capture, identify, spawn, suppression, worker, workflow
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer


async def later(name: str = "gpt-4o") -> None:
    await asyncio.sleep(0)
    call_llm(name)


@contextmanager
def ended_span(name: str = "request", **attributes: str) -> Iterator[trace.Span]:
    """A span that is current though it has ended, as in what a request handler leaves behind."""
    span = tracer().start_span(name, attributes=attributes)
    with trace.use_span(span):
        span.end()
        yield span


# --- where the spans belong -------------------------------------------------------------------------------------------


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
    assert stamps(sink)["user.id"] == "42"
    assert stamps(sink)["otel_llm.pipeline.name"] == "support"


async def test_a_task_spawned_after_the_parent_has_ended_is_a_linked_root_for_the_same_user(sink: SpanSink) -> None:
    async def remember() -> None:
        with agent("memory"):
            call_llm()

    with ended_span(**{"gen_ai.operation.name": "invoke_workflow"}) as span, identify(user_id="42", session_id="s1"):
        await spawn(remember())

    root = sink.one(name="invoke_agent memory")
    assert root.parent is None
    assert root.context.trace_id != span.get_span_context().trace_id
    assert [link.context for link in root.links] == [span.get_span_context()]
    assert sink.one(name="chat gpt-4o").links == ()
    assert ((root.attributes or {})["user.id"], (root.attributes or {})["session.id"]) == ("42", "s1")


WHO = {
    "user.id": "42",
    "session.id": "s1",
    "otel_llm.tags": ("vip",),
    "otel_llm.project": "acme",
    "gen_ai.prompt.name": "playbook",
    "gen_ai.prompt.version": 7,
    "gen_ai.agent.name": "strategist",
}


@pytest.mark.parametrize(
    ("mode", "has_ended", "parent", "links", "is_for_the_same"),
    [
        ("auto", False, "invoke_agent strategist", [], True),
        ("auto", True, None, ["invoke_agent strategist"], True),
        ("child", False, "invoke_agent strategist", [], True),
        ("child", True, "invoke_agent strategist", [], True),
        ("link", False, None, ["invoke_agent strategist"], True),
        ("link", True, None, ["invoke_agent strategist"], True),
        ("detached", False, None, [], False),
        ("detached", True, None, [], False),
    ],
)
async def test_the_mode_says_where_the_spans_belong(
    sink: SpanSink, mode: Any, has_ended: bool, parent: str | None, links: list[str], is_for_the_same: bool
) -> None:
    with (
        identify(user_id="42", session_id="s1", tags="vip", project="acme", prompt=("playbook", 7)),
        agent("strategist") as span,
    ):
        if has_ended:
            span.end()
        await spawn(later(), mode=mode)

    seen = stamps(sink)
    assert (parent_of(sink), links_of(sink)) == (parent, links)
    assert {name: seen.get(name) for name in WHO} == (WHO if is_for_the_same else dict.fromkeys(WHO))
    assert seen.get("otel_llm.pipeline.name") == ("strategist" if parent else None)


async def test_a_linked_task_is_of_the_agent_that_another_librarys_span_names(sink: SpanSink) -> None:
    with ended_span(**{"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "theirs"}):
        await spawn(later())
    assert stamps(sink)["gen_ai.agent.name"] == "theirs"


async def test_each_root_of_a_linked_task_is_linked(sink: SpanSink) -> None:
    async def twice() -> None:
        call_llm("one")
        call_llm("two")

    with agent("strategist"):
        await spawn(twice(), mode="link")
    assert links_of(sink, "chat one") == links_of(sink, "chat two") == ["invoke_agent strategist"]
    assert sink.one(name="chat one").context.trace_id != sink.one(name="chat two").context.trace_id


async def test_a_linked_task_below_no_span_is_a_root_for_the_same_user(sink: SpanSink) -> None:
    with identify(user_id="42"):
        await spawn(later(), mode="link")
    assert (parent_of(sink), links_of(sink), stamps(sink)["user.id"]) == (None, [], "42")


async def test_a_task_spawned_from_a_queues_consumer_belongs_where_the_item_came_from(sink: SpanSink) -> None:
    with workflow("support"):
        carrier = capture()
    with carrier.attach():
        await spawn(later())

    assert parent_of(sink) == "invoke_workflow support"
    assert stamps(sink)["otel_llm.pipeline.name"] == "support"


async def test_a_linked_root_is_of_no_pipeline_but_its_own(sink: SpanSink) -> None:
    with workflow("support"):
        carrier = capture()

    with carrier.attach(), ended_span("consume"):
        await spawn(agent("memory")(later)())

    assert stamps(sink)["otel_llm.pipeline.name"] == "memory"
    assert stamps(sink)["otel_llm.pipeline.primary"] is True


async def test_no_task_sees_what_a_sibling_does(sink: SpanSink) -> None:
    async def work(name: str) -> None:
        async with agent(name, user_id=f"user of {name}"):
            await later(name)

    with workflow("support"):
        await asyncio.gather(*(spawn(work(name)) for name in "abc"))

    for name in "abc":
        seen = stamps(sink, f"chat {name}")
        assert (seen["gen_ai.agent.name"], seen["user.id"]) == (name, f"user of {name}")
        assert parent_of(sink, f"chat {name}") == f"invoke_agent {name}"


async def test_a_task_spawned_inside_another_librarys_call_is_free_of_its_suppression(sink: SpanSink) -> None:
    async def look() -> object:
        return otel_context.get_value(CLIENT_INFERENCE_CONTEXT_KEY)

    with TelemetryHandler().inference("openai", request_model="gpt-4o"):
        assert await asyncio.create_task(look()) is not None
        assert [await spawn(look(), mode=mode) for mode in ("auto", "child", "link", "detached")] == [None] * 4
        assert await worker(look()) is None


def test_the_marks_of_suppression_are_those_of_util_genai() -> None:
    from opentelemetry.util.genai import invocation

    keys = [getattr(invocation, name) for name in invocation.__all__ if name.endswith("_CONTEXT_KEY")]
    assert CLIENT_INFERENCE_CONTEXT_KEY == suppression.INFERENCE_KEY
    assert suppression.without_suppression(Context(dict.fromkeys([*keys, "mine"], 1))) == {"mine": 1}


async def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be one of auto, child, link, detached, not 'follow'"):
        spawn(later(), mode="follow")  # type: ignore[arg-type]


# --- workers ----------------------------------------------------------------------------------------------------------

REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="none")


@pytest.mark.parametrize(
    ("start", "request_id"),
    [
        (asyncio.create_task, "r1"),
        (spawn, "r1"),
        (lambda coro: spawn(coro, mode="detached"), "r1"),
        (worker, "none"),
    ],
)
async def test_only_a_worker_leaves_the_applications_own_variables_behind(
    start: Callable[..., asyncio.Task[str]], request_id: str
) -> None:
    async def look() -> str:
        return REQUEST_ID.get()

    token = REQUEST_ID.set("r1")
    assert await start(look()) == request_id
    REQUEST_ID.reset(token)


# --- failures ---------------------------------------------------------------------------------------------------------


async def fail() -> None:
    raise ValueError("the prompt was: my card is 4111")


async def test_a_failure_that_nobody_waits_for_is_logged_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(fail(), name="memory")
    for _ in range(3):
        await asyncio.sleep(0)
    del task
    gc.collect()

    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("otel_llm.running_tasks", logging.ERROR, None)
    line = fail.__code__.co_firstlineno + 1
    assert record.getMessage().startswith("The background task memory failed, and nobody waits for it: ValueError at ")
    assert record.getMessage().endswith(f"{Path(__file__).name}:{line}")


@pytest.mark.parametrize("together", [False, True])
async def test_a_failure_that_somebody_waits_for_is_told_to_them_alone(
    caplog: pytest.LogCaptureFixture, together: bool
) -> None:
    with pytest.raises(ValueError, match="my card"):
        await (asyncio.gather(spawn(fail())) if together else spawn(fail()))
    await asyncio.sleep(0)
    assert caplog.records == []


async def test_a_failure_that_was_logged_is_raised_to_whoever_asks_later() -> None:
    task = spawn(fail())
    for _ in range(3):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="my card"):
        await task


async def test_a_failed_tasks_span_is_marked(sink: SpanSink) -> None:
    with workflow("support"):
        task = spawn(agent("memory")(fail)())
        with pytest.raises(ValueError, match="my card"):
            await task
    span = sink.one(name="invoke_agent memory")
    assert (span.status.status_code.name, stamps(sink, span.name)["error.type"]) == ("ERROR", "ValueError")
    assert sink.one(name="invoke_workflow support").status.status_code.name == "UNSET"
