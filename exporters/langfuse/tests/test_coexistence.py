"""Beside Langfuse's own SDK, and beside another exporter of ours: each span arrives once, and hangs where it belongs."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref
from typing import Any

import pytest
from beside_the_sdk import Outcome, run
from handmade import MakeSpan
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Span, TracerProvider

from otel_llm import ancestry
from otel_llm_langfuse import LangfuseSettings
from otel_llm_langfuse.coexistence import Claims, OneSender
from otel_llm_langfuse.in_use import InUse
from otel_llm_langfuse.projects import Route
from otel_llm_langfuse.sdk_processors import SDKProcessors
from otel_llm_langfuse.selection import Selection

WORK = """
@observe()
def answer():
    ask()

with otel_llm.agent("strategist"):
    answer()
"""
TREE = {"invoke_agent strategist": None, "answer": "invoke_agent strategist", "chat gpt-4o": "answer"}
SENT_BY_SDK = "Langfuse's SDK sends to the same project from the same tracer provider"


def arrived_once(outcome: Outcome) -> bool:
    return set(outcome.langfuse.arrivals.values()) == {1}


def warnings(outcome: Outcome) -> list[str]:
    return [line for line in outcome.logged if SENT_BY_SDK in line]


@pytest.mark.parametrize("set_up", ["Langfuse()\notel_llm.configure()", "otel_llm.configure()\nLangfuse()"])
def test_on_one_provider_the_sdk_sends_its_own_spans_and_we_send_ours(set_up: str) -> None:
    outcome = run(set_up, WORK)
    assert outcome.langfuse.tree == TREE
    assert arrived_once(outcome)
    assert len(warnings(outcome)) == 1
    assert "cost_source" in outcome.langfuse.one("chat gpt-4o")["metadata"]  # mapped, that is
    assert "agent_name" not in outcome.langfuse.one("answer")["metadata"]  # as the SDK sent it


def test_a_client_that_comes_after_the_first_calls_takes_nothing_twice() -> None:
    outcome = run("otel_llm.configure()\nask()\notel_llm.force_flush(10)\nLangfuse()\nask()")
    assert sorted(outcome.langfuse.arrivals.values()) == [1, 1]


def test_the_sdk_sends_our_spans_again_once_we_are_gone() -> None:
    outcome = run("""
        Langfuse()
        otel_llm.configure()
        ask()
        otel_llm.shutdown()
        provider.get_tracer("otel_llm").start_span("chat after", attributes={"gen_ai.operation.name": "chat"}).end()
    """)
    assert sorted(row["name"] for row in outcome.langfuse.rows) == ["chat after", "chat gpt-4o"]
    assert arrived_once(outcome)


def test_spans_are_left_to_a_version_of_the_sdk_that_cannot_leave_any_out() -> None:
    outcome = run(
        """
        Langfuse()
        *_, processor = provider._active_span_processor._span_processors
        asked = processor.__dict__.pop("_should_export_span")
        type(processor)._should_export_span = property(lambda _: asked)
        otel_llm.configure()
    """,
        WORK,
    )
    assert outcome.langfuse.tree == TREE
    assert arrived_once(outcome)
    assert "cannot be asked to leave anything out" in warnings(outcome)[0]


def test_a_client_with_a_provider_of_its_own_is_nobodys_rival() -> None:
    outcome = run("""
        otel_llm.configure()
        Langfuse(tracer_provider=TracerProvider())
        with otel_llm.agent("strategist"):
            ask()
    """)
    assert outcome.langfuse.tree == {"invoke_agent strategist": None, "chat gpt-4o": "invoke_agent strategist"}
    assert arrived_once(outcome)
    assert outcome.logged == []


def test_a_client_told_to_leave_our_spans_to_us_needs_no_warning() -> None:
    predicate = "lambda span: span.instrumentation_scope.name != 'otel_llm'"
    outcome = run(f"otel_llm.configure()\nLangfuse(should_export_span={predicate})", WORK)
    assert outcome.langfuse.tree == TREE
    assert arrived_once(outcome)
    assert outcome.logged == []


def test_our_exporter_inside_a_client_sends_all_of_them_mapped() -> None:
    outcome = run(
        """
        otel_llm.instrument(tracer_provider=provider)
        Langfuse(span_exporter=LangfuseExporter())
    """,
        WORK,
    )
    assert outcome.langfuse.tree == TREE
    assert arrived_once(outcome)
    assert outcome.logged == []
    assert "cost_source" in outcome.langfuse.one("chat gpt-4o")["metadata"]


def test_metadata_of_the_sdk_is_text_without_quotes() -> None:
    outcome = run("""
        otel_llm.configure()
        Langfuse(span_exporter=LangfuseExporter())
        with get_client().start_as_current_observation(name="step", metadata={"tier": "gold", "seats": 3}):
            pass
    """)
    metadata = outcome.langfuse.one("step")["metadata"]
    assert (metadata["tier"], metadata["seats"]) == ("gold", "3")


def test_an_exporter_beside_configure_sends_nothing_twice() -> None:
    outcome = run("""
        provider.add_span_processor(SimpleSpanProcessor(LangfuseExporter()))
        otel_llm.configure()
        with otel_llm.agent("strategist"):
            ask()
    """)
    assert arrived_once(outcome)
    assert [line.partition(":")[2][:36] for line in outcome.logged] == [" a span has come by two exporters th"]


def test_an_exporter_registered_twice_sends_nothing_twice() -> None:
    outcome = run("""
        otel_llm.instrument(tracer_provider=provider)
        for _ in range(2):
            provider.add_span_processor(BatchSpanProcessor(LangfuseExporter()))
        ask()
    """)
    assert list(outcome.langfuse.arrivals.values()) == [1]


def test_two_providers_may_send_to_one_project() -> None:
    outcome = run("""
        other = TracerProvider(shutdown_on_exit=False)
        for each in (provider, other):
            each.add_span_processor(SimpleSpanProcessor(LangfuseExporter()))
            each.get_tracer("app").start_span("chat", attributes={"gen_ai.operation.name": "chat"}).end()
            each.force_flush()
        other.shutdown()
    """)
    assert list(outcome.langfuse.arrivals.values()) == [1, 1]


def test_a_client_of_langfuses_openai_beside_us_tells_each_call_once() -> None:
    outcome = run("""
        otel_llm.configure()
        Langfuse()
        from langfuse.openai import OpenAI
        with otel_llm.agent("strategist"), OpenAI(base_url=vendor.openai, api_key="sk-fake") as client:
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Why?"}])
    """)
    assert [row["type"] for row in outcome.langfuse.rows].count("GENERATION") == 1
    assert arrived_once(outcome)


def test_a_call_under_an_observation_that_goes_elsewhere_is_a_root() -> None:
    outcome = run("""
        otel_llm.configure()
        stranger = Langfuse(**keys(acme))
        with stranger.start_as_current_observation(name="theirs"):
            ask()
    """)
    assert outcome.langfuse.tree == {"chat gpt-4o": None}
    assert outcome.langfuse.traces[0]["name"] == "chat gpt-4o"


# --- several destinations of one project ------------------------------------------------------------------------------


def sender(base_url: str = "https://langfuse.example", public_key: str = "pk-lf-1") -> OneSender:
    return OneSender(Route(public_key, None, base_url))


def test_projects_of_two_servers_with_the_same_key_are_two_projects(make_span: MakeSpan, chat: dict[str, Any]) -> None:
    span = make_span(chat)
    here, there = sender("https://one.example"), sender("https://two.example")
    assert (here.sends(span), there.sends(span)) == (True, True)


def test_of_one_project_the_first_destination_to_ask_sends_a_span(make_span: MakeSpan, chat: dict[str, Any]) -> None:
    span = make_span(chat)
    first, second = sender(), sender()
    assert (first.sends(span), second.sends(span), first.sends(span)) == (True, False, True)


def test_what_a_closed_destination_took_is_remembered_for_a_minute() -> None:
    now = [0.0]
    claims = Claims(lambda: now[0])
    one, other = One(), One()
    claims.senders.add(one)
    claims.senders.add(other)
    assert claims.gives(other, 1, 1)
    claims.senders.discard(other)
    now[0] = 60.0
    assert not claims.gives(one, 1, 1)
    now[0] = 60.1
    assert claims.gives(one, 1, 1)
    forgotten = weakref.ref(other)
    del other
    assert forgotten() is None


def test_a_closed_destination_is_kept_by_nothing(chat: dict[str, Any]) -> None:
    settings = LangfuseSettings.load(public_key="pk-lf-1", secret_key="sk-lf-1", drop="tool")
    stays, goes = sender(settings.base_url), Selection(settings)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("app").start_span("chat", attributes=chat)
    assert isinstance(span, Span)
    ancestry.started(span, None)
    span.end()
    assert goes.wants(span)
    gone = weakref.ref(goes), weakref.ref(goes._sender)
    goes.close()
    del goes
    gc.collect()
    assert [each() for each in gone] == [None, None]
    stays.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_wait_for_a_lock_of_its_parents_threads() -> None:
    script = """
        import os, signal, threading
        from otel_llm_langfuse import coexistence
        from otel_llm_langfuse.projects import Route
        one = coexistence.OneSender(Route("pk", None, "https://langfuse.example"))
        held, over = threading.Event(), threading.Event()
        def hold():
            with coexistence._looking:
                held.set()
                over.wait(30)
        threading.Thread(target=hold).start()
        held.wait(30)
        child = os.fork()
        if not child:
            signal.alarm(10)
            coexistence.look()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        over.set()
        raise SystemExit(status)
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_destinations_may_come_while_others_are_asked() -> None:
    known: InUse[object] = InUse()
    kept = [One(), One()]
    known.add(kept[0])
    seen = []
    for each in known.all():
        known.add(kept[1])
        seen.append(each)
    assert (seen, known.all()) == (kept[:1], kept)
    del kept, seen, each
    assert known.all() == []


class One:
    """Anything."""


class Processor:
    """In the shape of that of Langfuse's SDK."""

    public_key = "pk-lf-1"

    def __init__(self) -> None:
        self.span_exporter = OTLPSpanExporter()
        self._should_export_span = bool


def test_a_processor_of_the_sdk_is_not_kept_once_its_provider_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    met = SDKProcessors(lambda _key, _span: True)
    provider = TracerProvider(shutdown_on_exit=False)
    processor = type("LangfuseSpanProcessor", (Processor,), {})()
    provider._active_span_processor._span_processors = (processor,)
    monkeypatch.setitem(sys.modules, "langfuse._client.resource_manager", One())
    there = [provider]
    monkeypatch.setattr("otel_llm_langfuse.sdk_processors.stamped_providers", lambda: there)
    assert [rival.provider for rival in met.look([])] == [provider]
    assert len(met.rivals) == 1
    processor.span_exporter.shutdown()
    there.clear()
    met.look([])
    del processor, provider
    gc.collect()
    assert met.rivals == []
