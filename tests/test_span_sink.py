"""SpanSink: spans in memory, and what a test asks of them."""

import json
import threading

import pytest
from opentelemetry.sdk.trace import SpanProcessor

from otel_llm.testing.sink import SpanSink


@pytest.fixture
def traced():
    with SpanSink.provider() as (provider, sink):
        yield provider.get_tracer("test"), sink


def span(tracer, name, **attributes):
    return tracer.start_as_current_span(name, attributes={key.replace("__", "."): value for key, value in attributes.items()})


def test_a_run_is_seen_as_a_tree(traced):
    tracer, sink = traced
    with span(tracer, "invoke_workflow support"):
        with span(tracer, "invoke_agent planner"), span(tracer, "chat m"):
            pass
        with span(tracer, "invoke_agent writer"):
            pass
    with span(tracer, "invoke_agent memory"):
        pass
    assert sink.tree() == (
        (
            "invoke_workflow support",
            (("invoke_agent planner", (("chat m", ()),)), ("invoke_agent writer", ())),
        ),
        ("invoke_agent memory", ()),
    )


def test_children_stand_in_the_order_of_their_starts(traced):
    tracer, sink = traced
    with span(tracer, "root"):
        first, second = tracer.start_span("first"), tracer.start_span("second")
        second.end()
        first.end()
    assert [found.name for found in sink.spans] == ["second", "first", "root"]
    assert sink.tree() == (("root", (("first", ()), ("second", ()))),)


def test_a_span_whose_parent_is_open_stands_at_the_top(traced):
    tracer, sink = traced
    with span(tracer, "root"):
        with span(tracer, "child"):
            pass
        assert (sink.tree(), [found.name for found in sink.open]) == ((("child", ()),), ["root"])
    assert sink.open == []


def test_calls_are_the_spans_that_carry_tokens(traced):
    tracer, sink = traced
    for operation in ("chat", "text_completion", "generate_content", "embeddings", "invoke_agent", "execute_tool"):
        with span(tracer, operation, gen_ai__operation__name=operation):
            pass
    with span(tracer, "GET /"):
        pass
    assert [call.name for call in sink.calls] == ["chat", "text_completion", "generate_content"]


def test_one_finds_a_span_by_name_and_attributes(traced):
    tracer, sink = traced
    for agent in ("planner", "writer"):
        with span(tracer, "chat m", gen_ai__agent__name=agent):
            pass
    assert sink.one(name="chat m", **{"gen_ai.agent.name": "writer"}) is sink.spans[1]


@pytest.mark.parametrize(("name", "count"), [("chat m", 2), ("chat n", 0)])
def test_one_says_what_there_is_if_it_is_not_one(traced, name, count):
    tracer, sink = traced
    for _ in range(2):
        with span(tracer, "chat m"):
            pass
    with pytest.raises(AssertionError, match=f"{count} spans with .'name': '{name}'.*among .'chat m', 'chat m'"):
        sink.one(name=name)


def test_content_attributes_are_decoded(traced):
    tracer, sink = traced
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]
    with span(tracer, "chat m", gen_ai__input__messages=json.dumps(messages), note="[1]"):
        pass
    assert SpanSink.attributes(sink.one()) == {"gen_ai.input.messages": messages, "note": "[1]"}


def test_wait_returns_once_the_spans_are_there(traced):
    tracer, sink = traced
    thread = threading.Thread(target=lambda: tracer.start_span("background").end())
    thread.start()
    assert [found.name for found in sink.wait(1)] == ["background"]
    thread.join()


def test_wait_names_the_spans_that_are_still_open(traced):
    tracer, sink = traced
    with span(tracer, "slow"), pytest.raises(TimeoutError, match=r"0 of 1 spans ended within 0\.01 s; open: .'slow'"):
        sink.wait(1, timeout_s=0.01)


def test_clear_forgets_everything(traced):
    tracer, sink = traced
    with span(tracer, "before"):
        tracer.start_span("never ended")
    sink.clear()
    assert (sink.spans, sink.open) == ([], [])


def test_other_processors_stand_before_the_sink():
    class Stamp(SpanProcessor):
        def on_start(self, span, parent_context=None):
            span.set_attribute("user.id", "42")

    with SpanSink.provider(Stamp()) as (provider, sink):
        provider.get_tracer("test").start_span("chat m").end()
    assert SpanSink.attributes(sink.one()) == {"user.id": "42"}
