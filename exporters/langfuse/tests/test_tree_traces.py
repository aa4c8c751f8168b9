"""Whole traces as Langfuse shows them, in both write paths: the tree, and what the trace says of itself."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from whole_traces import Traced, traced

from otel_llm import CaptureMode, agent, capture, identify, instrument, spawn, uninstrument, workflow
from otel_llm.testing import FakeProvider, Reply
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseExporter

ASKED = '{"messages":[{"role":"user","content":"Why?"}]}'
ANSWERED = '{"role":"assistant","content":"Because."}'


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[Traced]:
    resource = {"service.name": "bot", "service.version": "2.1", "langfuse.release": "r7"}
    with traced(langfuse, resource=resource) as made:
        yield made


@pytest.fixture
def vendor(app: Traced) -> Iterator[FakeProvider]:
    """A vendor whose calls are recorded with content. It answers "Because."."""
    with FakeProvider(pause_s=0.0) as fake:
        fake.reply(*[Reply(text="Because.")] * 10)
        instrument(tracer_provider=app.provider, content=CaptureMode.SPAN_ONLY)
        yield fake
        uninstrument()


def ask(vendor: FakeProvider, model: str = "gpt-4o") -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "Why?"}]}
    httpx.post(f"{vendor.openai}/chat/completions", json=body, headers={"authorization": "Bearer sk-fake"})


def call(app: Traced, model: str = "gpt-4o", scope: str = "app", **attributes: Any) -> None:
    """A call recorded by somebody else."""
    given = {"gen_ai.operation.name": "chat", "gen_ai.request.model": model, **attributes}
    app.tracer(scope).start_span(f"chat {model}", attributes=given).end()


def server_span(app: Traced, context: Context | None = None) -> Any:
    """As FastAPI's instrumentation makes it."""
    return app.tracer("opentelemetry.instrumentation.fastapi").start_as_current_span(
        "POST /ask", context=context, kind=SpanKind.SERVER, attributes={"http.request.method": "POST"}
    )


def other_span(app: Traced, name: str = "SELECT") -> Any:
    return app.tracer("opentelemetry.instrumentation.sqlalchemy").start_as_current_span(name, kind=SpanKind.CLIENT)


def from_another_service() -> Context:
    parent = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1))
    return set_span_in_context(NonRecordingSpan(parent), Context())


# --- whatever the root is ---------------------------------------------------------------------------------------------


def test_a_pipeline_in_a_web_request(app: Traced, vendor: FakeProvider) -> None:
    who = {"user_id": "42", "session_id": "s1", "tags": ["vip"], "metadata": {"plan": "gold"}}
    with server_span(app), identify(**who), workflow("support"), other_span(app), agent("strategist"), other_span(app):
        ask(vendor)

    assert app.tree() == (("invoke_workflow support", (("invoke_agent strategist", (("chat gpt-4o", ()),)),)),)
    assert app.trace() == {
        "name": "support",
        "user_id": "42",
        "session_id": "s1",
        "tags": ["agent:strategist", "vip"],
        "plan": "gold",
        "release": "r7",
        "version": "2.1",
        "environment": "default",
    }


def test_a_trace_has_the_tags_of_all_its_spans(app: Traced, vendor: FakeProvider) -> None:
    with agent("planner"):
        with agent("writer"), identify(tags=["draft"]):
            ask(vendor)
        later = capture()
    with later.attach(), agent("critic"):
        ask(vendor)
    tags = {"agent:planner", "agent:writer", "agent:critic", "draft"}
    assert set(app.trace()["tags"]) == tags
    (writer,) = (row for row in app.stored() if row["name"] == "invoke_agent writer")
    assert "agent:critic" not in writer.get("tags", ())  # the older path has tags on the trace alone


def test_one_call_in_a_web_request_gives_the_trace_its_input_and_output(app: Traced, vendor: FakeProvider) -> None:
    with server_span(app):
        ask(vendor)
    assert app.tree() == (("chat gpt-4o", ()),)
    told = app.trace()
    assert (told["name"], told["input"], told["output"]) == ("chat gpt-4o", ASKED, ANSWERED)


def test_what_an_application_says_of_its_root_is_the_traces_input_and_output(app: Traced, vendor: FakeProvider) -> None:
    with server_span(app), workflow("support") as root:
        ask(vendor)
        root.set_attributes({"langfuse.observation.input": "Why?", "langfuse.observation.output": "No reason."})
    told = app.trace()
    assert (told["name"], told["input"], told["output"]) == ("support", "Why?", "No reason.")


@pytest.mark.parametrize("below_a_server_span", [False, True])
def test_what_a_foreign_caller_started_is_a_trace_with_a_root(
    app: Traced, vendor: FakeProvider, below_a_server_span: bool
) -> None:
    token = otel_context.attach(from_another_service())
    with server_span(app) if below_a_server_span else identify(), workflow("support") as root:
        ask(vendor)
        root.set_attribute("langfuse.observation.output", "No reason.")
    otel_context.detach(token)

    assert app.tree() == (("invoke_workflow support", (("chat gpt-4o", ()),)),)
    assert (app.trace()["name"], app.trace()["output"]) == ("support", "No reason.")
    assert {row["trace_id"] for row in app.stored()} == {f"{0xABC:032x}"}


def test_work_handed_over_to_another_process_hangs_where_it_came_from(langfuse: FakeLangfuse, vendor: FakeProvider) -> None:
    with traced(langfuse) as here:
        with server_span(here), identify(user_id="42"), workflow("support"), other_span(here, "PUT queue"):
            carrier = pickle.loads(pickle.dumps(capture()))
        here.stored()
    forget_all_spans()
    with traced(langfuse) as there:
        with carrier.attach(), other_span(there, "GET queue"), agent("memory"):
            ask(vendor)

        assert there.tree() == (("invoke_workflow support", (("invoke_agent memory", (("chat gpt-4o", ()),)),)),)
        assert (there.trace()["name"], there.trace()["user_id"]) == ("support", "42")


def forget_all_spans() -> None:
    """As in another process."""
    from otel_llm import ancestry

    ancestry._table.nodes.clear()


def test_siblings_below_a_web_request_agree_on_the_traces_name(app: Traced) -> None:
    with server_span(app):
        with workflow("support"):
            call(app)
        with workflow("audit"):
            call(app)
        call(app, "gpt-4o-mini")
    names = (
        ("chat gpt-4o-mini", ()),
        ("invoke_workflow audit", (("chat gpt-4o", ()),)),
        ("invoke_workflow support", (("chat gpt-4o", ()),)),
    )
    assert app.tree() == names
    assert app.trace()["name"] == "support"


async def test_background_work_that_ends_last_is_in_the_tree(app: Traced) -> None:
    gate = asyncio.Event()

    @agent("memory")
    async def remember() -> None:
        await gate.wait()
        with other_span(app):
            call(app)

    with server_span(app), workflow("support", user_id="42"):
        task = spawn(remember())
    app.stored()
    gate.set()
    await task

    assert app.tree() == (("invoke_workflow support", (("invoke_agent memory", (("chat gpt-4o", ()),)),)),)
    assert (app.trace()["name"], app.trace()["user_id"]) == ("support", "42")


# --- spans between that do not arrive ---------------------------------------------------------------------------------


def test_what_is_below_a_call_that_another_span_tells_hangs_below_that_span(app: Traced) -> None:
    outer = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
    tracer = app.tracer("openinference.instrumentation.openai")
    with agent("strategist"), tracer.start_as_current_span("OpenAI", attributes=outer):
        inner = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
        with (
            app.tracer("official").start_as_current_span("chat", attributes=inner),
            other_span(app, "POST"),
            app.tracer().start_as_current_span("tool", attributes={"gen_ai.operation.name": "execute_tool"}),
        ):
            pass
    assert app.tree() == (("invoke_agent strategist", (("OpenAI", (("tool", ()),)),)),)


def test_a_span_that_turns_out_to_be_genai_is_the_parent_of_what_ends_after_that(app: Traced) -> None:
    with agent("strategist"), app.tracer().start_as_current_span("step") as step:
        call(app, "early")
        app.stored()
        with app.tracer().start_as_current_span("plan", attributes={"gen_ai.operation.name": "plan"}), other_span(app):
            step.set_attribute("gen_ai.operation.name", "execute_tool")
            call(app, "late")
    assert app.tree() == (("invoke_agent strategist", (("chat early", ()), ("step", (("plan", (("chat late", ()),)),)))),)


class LeavesOut(Sampler):
    """Samples all spans but those of one name."""

    def __init__(self, name: str) -> None:
        self._name = name

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
        return SamplingResult(Decision.DROP if name == self._name else Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return f"all but {self._name}"


def test_what_is_below_a_span_that_is_not_sampled_hangs_below_the_agent_around_it(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, sampler=LeavesOut("SELECT")) as app:
        with workflow("support"), agent("strategist"), other_span(app):
            call(app)
            carrier = capture()
        with carrier.attach():
            call(app, "later")
        with other_span(app):
            call(app, "elsewhere")
        below = (("chat gpt-4o", ()), ("chat later", ()))
        assert app.tree() == (
            ("chat elsewhere", ()),
            ("invoke_workflow support", (("invoke_agent strategist", below),)),
        )


# --- all spans --------------------------------------------------------------------------------------------------------


def test_with_all_spans_the_real_parents_hold(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, spans="all") as app:
        with server_span(app), workflow("support"), other_span(app):
            call(app)
        assert app.tree() == (("POST /ask", (("invoke_workflow support", (("SELECT", (("chat gpt-4o", ()),)),)),)),)
        assert app.trace()["name"] == "support"


def test_with_all_spans_a_call_is_still_told_once(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, spans="all") as app:
        outer = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"}
        with app.tracer("openinference.instrumentation.openai").start_as_current_span("OpenAI", attributes=outer):
            inner = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
            with app.tracer("official").start_as_current_span("chat", attributes=inner), other_span(app, "POST"):
                pass
        assert app.tree() == (("OpenAI", (("POST", ()),)),)


# --- kinds that are left out ------------------------------------------------------------------------------------------


def test_what_is_below_a_kind_that_is_left_out_moves_up(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, drop={"agent", "tool"}) as app:
        with workflow("support"), agent("strategist"), other_span(app), agent("trainer"):
            call(app)
        with agent("alone"):
            call(app, "o3")
        assert app.tree() == (("chat o3", ()), ("invoke_workflow support", (("chat gpt-4o", ()),)))
        assert app.destination.selection.left_out == {"drop": 3}


def test_a_root_that_is_left_out_still_names_the_trace(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, drop={"agent"}) as app:
        with agent("strategist", user_id="42"):
            call(app)
        assert (app.trace()["name"], app.trace()["user_id"]) == ("strategist", "42")


def test_a_span_whose_kind_becomes_one_that_is_left_out_stays_if_others_hang_below_it(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, drop={"tool"}) as app:
        with app.tracer().start_as_current_span("step", attributes={"gen_ai.operation.name": "plan"}) as step:
            call(app)
            app.stored()
            step.set_attribute("langfuse.observation.type", "tool")
        assert app.tree() == (("step", (("chat gpt-4o", ()),)),)


# --- sampling ---------------------------------------------------------------------------------------------------------


def test_traces_are_sampled_whole_and_as_opentelemetrys_sampler_does(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, sample_rate=0.3, sampler=ALWAYS_ON) as app:
        for _ in range(40):
            with workflow("support"):
                call(app)
        ids = {span.context.trace_id for span in app.sink.spans if span.context}
        sampler = TraceIdRatioBased(0.3)
        kept = {i for i in ids if sampler.should_sample(None, i, "").decision.is_sampled()}
        assert sorted(row["trace_id"] for row in app.stored()) == sorted(f"{i:032x}" for i in kept for _ in range(2))
        assert app.destination.selection.left_out == {"sample_rate": 2 * (len(ids) - len(kept))}


def test_what_the_sdk_does_not_sample_is_not_sent(langfuse: FakeLangfuse) -> None:
    with traced(langfuse, sampler=ParentBased(TraceIdRatioBased(0.0))) as app:
        with workflow("support"):
            call(app)
        assert app.stored() == []


# --- once -------------------------------------------------------------------------------------------------------------


def test_two_exporters_to_one_project_send_each_span_once(app: Traced, langfuse: FakeLangfuse) -> None:
    """As with ``opentelemetry-instrument`` and ``OTEL_TRACES_EXPORTER=langfuse`` around a program that calls ``configure()``."""
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    second = LangfuseExporter(**keys)
    app.provider.add_span_processor(BatchSpanProcessor(second))
    for _ in range(3):
        with workflow("support"):
            call(app)
    assert len(app.stored()) == 6
    assert second.force_flush()
    assert (second.stats.received, set(langfuse.arrivals.values())) == (6, {1})


def test_nothing_is_sent_before_it_ends(app: Traced) -> None:
    with workflow("support"):
        assert app.stored() == []


# --- whom it is for ---------------------------------------------------------------------------------------------------


def test_calls_are_linked_to_their_managed_prompt(app: Traced) -> None:
    with identify(prompt=("playbook", 7)), agent("strategist"):
        call(app)
    rows = {row["name"]: row for row in app.stored()}
    assert (rows["chat gpt-4o"]["prompt_name"], rows["chat gpt-4o"]["prompt_version"]) == ("playbook", 7)
    assert "prompt_name" not in rows["invoke_agent strategist"]


def test_threads_that_work_for_one_trace(app: Traced) -> None:
    with server_span(app), workflow("support"):
        carriers = [capture() for _ in range(4)]

        def work(carrier: Any) -> None:
            with carrier.attach(), other_span(app), agent("worker"):
                call(app)

        threads = [threading.Thread(target=work, args=(carrier,)) for carrier in carriers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    worker = ("invoke_agent worker", (("chat gpt-4o", ()),))
    assert app.tree() == (("invoke_workflow support", (worker,) * 4),)
    assert trace.get_current_span() is trace.INVALID_SPAN
