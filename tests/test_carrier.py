"""Carriers: where work belongs, taken along to threads, queues and other processes."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from belonging import LONG_S, call_below, call_llm, links_of, parent_of, stamps
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.util.genai.handler import TelemetryHandler

from otel_llm import Carrier, agent, capture, identify, spawn, workflow
from otel_llm.identity import Identity, Pipeline
from otel_llm.suppression import inside_inference
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer

WHO = {
    "user.id": "42",
    "session.id": "s1",
    "otel_llm.tags": ("vip",),
    "otel_llm.metadata.plan": "gold",
    "otel_llm.project": "acme",
    "gen_ai.prompt.name": "playbook",
    "gen_ai.prompt.version": 7,
    "gen_ai.agent.name": "strategist",
}


def in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_carrier_tells_the_trace_and_for_whom_the_work_is(sink: SpanSink) -> None:
    who = identify(user_id="42", session_id="s1", tags="vip", project="acme", prompt=("playbook", 7))
    with who, workflow("support") as root, agent("strategist") as span:
        carrier = capture()

    at, top = span.get_span_context(), root.get_span_context()
    assert carrier.traceparent == f"00-{at.trace_id:032x}-{at.span_id:016x}-03"
    assert carrier.identity == Identity(
        user_id="42",
        session_id="s1",
        tags=("vip",),
        agent="strategist",
        project="acme",
        prompt=("playbook", 7),
        pipeline=Pipeline("support", f"{top.span_id:016x}", primary=True),
        ancestor=f"{at.span_id:016x}",
        captured_at=f"{at.trace_id:032x}{at.span_id:016x}",
    )
    assert pickle.loads(pickle.dumps(carrier)) == carrier


@pytest.mark.parametrize(
    ("mode", "parent", "links", "pipeline"),
    [("child", "invoke_agent strategist", [], "strategist"), ("link", None, ["invoke_agent strategist"], None)],
)
def test_attached_elsewhere_the_work_is_for_the_same(
    sink: SpanSink, mode: Any, parent: str | None, links: list[str], pipeline: str | None
) -> None:
    with (
        identify(user_id="42", session_id="s1", tags="vip", metadata={"plan": "gold"}, project="acme", prompt=("playbook", 7)),
        agent("strategist"),
    ):
        carrier = capture()

    def work() -> None:
        with carrier.attach(mode=mode):
            call_llm()
        call_llm("after")

    in_a_thread(work)
    assert (parent_of(sink), links_of(sink)) == (parent, links)
    assert {name: stamps(sink).get(name) for name in WHO} == WHO
    assert stamps(sink).get("otel_llm.pipeline.name") == pipeline
    assert stamps(sink, "chat after") == {"gen_ai.operation.name": "chat", "gen_ai.request.model": "after"}


def test_plain_opentelemetry_does_not_reach_a_thread(sink: SpanSink) -> None:
    with agent("strategist"):
        in_a_thread(call_llm)
    assert (parent_of(sink), "gen_ai.agent.name" in stamps(sink)) == (None, False)


def test_a_carrier_taken_below_an_http_span_tells_the_genai_ancestor(sink: SpanSink) -> None:
    with agent("strategist") as span, tracer().start_as_current_span("PUT /queue"):
        carrier = capture()
    with carrier.attach():
        call_llm()
    assert stamps(sink)["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"


def test_a_carrier_names_the_agent_of_another_librarys_span(sink: SpanSink) -> None:
    theirs = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "theirs"}
    with tracer().start_as_current_span("invoke_agent theirs", attributes=theirs):
        carrier = capture()
    with carrier.attach(mode="link"):
        call_llm()
    assert stamps(sink)["gen_ai.agent.name"] == "theirs"


def test_a_carrier_of_no_span_takes_the_identity_along(sink: SpanSink) -> None:
    with identify(user_id="42"):
        carrier = capture()
    assert carrier.traceparent is None
    for mode in ("child", "link"):
        with carrier.attach(mode=mode):
            call_llm(mode)
        assert (parent_of(sink, f"chat {mode}"), links_of(sink, f"chat {mode}")) == (None, [])
        assert stamps(sink, f"chat {mode}")["user.id"] == "42"


def test_a_carrier_names_the_project_of_the_span_above(sink: SpanSink) -> None:
    with tracer().start_as_current_span("ask", attributes={"otel_llm.project": "acme"}):
        carrier = capture()
    assert carrier.identity is not None
    assert carrier.identity.project == "acme"


async def test_a_carrier_of_a_linked_task_links_too(sink: SpanSink) -> None:
    async def hand_over() -> Carrier:
        return capture()

    with agent("strategist"):
        carrier = pickle.loads(pickle.dumps(await spawn(hand_over(), mode="link")))
    assert (carrier.traceparent, carrier.is_link) == (None, True)
    with carrier.attach():
        call_llm()
    assert (parent_of(sink), links_of(sink), stamps(sink)["gen_ai.agent.name"]) == (
        None,
        ["invoke_agent strategist"],
        "strategist",
    )


def test_an_attached_carrier_is_free_of_baggage_and_of_another_librarys_suppression() -> None:
    token = otel_context.attach(baggage.set_baggage("plan", "gold"))
    with TelemetryHandler().inference("openai", request_model="gpt-4o"):
        assert inside_inference(otel_context.get_current())
        with capture().attach():
            assert not inside_inference(otel_context.get_current())
            assert baggage.get_all() == {}
    otel_context.detach(token)


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="mode must be 'child' or 'link', not 'auto'"):
        capture().attach(mode="auto")  # type: ignore[arg-type]


@pytest.mark.leaks_context
async def test_a_block_that_ends_in_another_context_takes_nothing_back_and_logs_nothing(
    sink: SpanSink, caplog: pytest.LogCaptureFixture
) -> None:
    with identify(user_id="42"):
        carrier = capture()

    async def steps() -> AsyncIterator[int]:
        with carrier.attach():
            yield 1

    stream = steps()
    await anext(stream)
    await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]  # a generator, by its annotation any iterator
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.filterwarnings("ignore:.*is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_carrier_crosses_processes(sink: SpanSink, method: str) -> None:
    with workflow("support", session_id="s1"), agent("strategist") as span:
        carrier = capture()

    with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
        seen = pool.submit(call_below, carrier).result(timeout=LONG_S)

    assert (seen["trace"], seen["parent"]) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert (seen["gen_ai.agent.name"], seen["session.id"], seen["otel_llm.pipeline.name"]) == ("strategist", "s1", "support")
    assert seen["otel_llm.ancestor.span_id"] == f"{span.get_span_context().span_id:016x}"


def test_a_carrier_of_a_trace_that_is_not_sampled_leaves_it_so(sink: SpanSink) -> None:
    unsampled = trace.NonRecordingSpan(trace.SpanContext(7, 8, is_remote=False))
    with trace.use_span(unsampled):
        carrier = capture()
    assert carrier.traceparent == f"00-{7:032x}-{8:016x}-00"
