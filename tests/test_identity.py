"""Whom work is done for: projects, managed prompts, and what others know of it."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from otel_llm import agent, capture, identify, workflow
from otel_llm.identity import Source, sources
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer


@dataclass(frozen=True)
class Prompt:
    """As Langfuse's SDK returns it."""

    name: Any = "playbook"
    version: Any = 7
    is_fallback: bool = False


def call(operation: str = "chat", name: str = "call") -> None:
    tracer().start_span(name, kind=SpanKind.CLIENT, attributes={"gen_ai.operation.name": operation}).end()


def stamps(sink: SpanSink, name: str = "call") -> dict[str, Any]:
    wanted = ("user.id", "session.id", "otel_llm.project", "otel_llm.tags", "gen_ai.prompt.name", "gen_ai.prompt.version")
    own = sink.attributes(sink.one(name=name))
    return {key: own[key] for key in own if key in wanted or key.startswith("otel_llm.metadata.")}


@pytest.fixture
def source() -> Iterator[Any]:
    """Adds a source of identity for one test."""
    before = list(sources)

    def add(made: Source) -> None:
        sources.append(made)

    yield add
    sources[:] = before


# --- projects ---------------------------------------------------------------------------------------------------------


def test_each_span_says_for_which_project_it_is(sink: SpanSink) -> None:
    with identify(project="acme"), workflow("support"), agent("planner", project="globex"):
        call()
    call(name="after")
    projects = {span.name: (span.attributes or {}).get("otel_llm.project") for span in sink.spans}
    assert projects == {"invoke_workflow support": "acme", "invoke_agent planner": "globex", "call": "globex", "after": None}


# --- managed prompts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [Prompt(), ("playbook", 7), ["playbook", 7]])
def test_calls_say_with_which_prompt_they_are_made(sink: SpanSink, prompt: Any) -> None:
    with identify(prompt=prompt):
        call()
    assert stamps(sink) == {"gen_ai.prompt.name": "playbook", "gen_ai.prompt.version": 7}


@pytest.mark.parametrize(
    ("operation", "said"),
    [("chat", True), ("text_completion", True), ("generate_content", True), ("embeddings", False), ("invoke_agent", False)],
)
def test_only_inference_has_a_prompt(sink: SpanSink, operation: str, said: bool) -> None:
    with identify(prompt=("playbook", 7)):
        call(operation)
    assert bool(stamps(sink)) is said


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(is_fallback=True),
        Prompt(version="7"),
        Prompt(version=None),
        Prompt(version=True),
        Prompt(name=""),
        Prompt(name=7),
        ("playbook",),
        "playbook",
        object(),
    ],
)
def test_what_is_no_version_of_a_prompt_is_no_prompt_nor_the_one_around_it(sink: SpanSink, prompt: Any) -> None:
    with identify(prompt=("other", 1)), identify(prompt=prompt):
        call()
    assert stamps(sink) == {}


def test_a_carrier_takes_project_and_prompt_along(sink: SpanSink) -> None:
    with identify(project="acme", prompt=Prompt()):
        carrier = pickle.loads(pickle.dumps(capture()))
    with carrier.attach():
        call()
    assert stamps(sink) == {"otel_llm.project": "acme", "gen_ai.prompt.name": "playbook", "gen_ai.prompt.version": 7}


# --- other sources ----------------------------------------------------------------------------------------------------

THEIRS: Mapping[str, Any] = {
    "user_id": 7,
    "session_id": "theirs",
    "tags": ["theirs"],
    "metadata": {"plan": "blue", "n": 1},
    "project": "globex",
    "prompt": ("theirs", 3),
}


def test_what_our_identity_does_not_say_others_say(sink: SpanSink, source: Any) -> None:
    source(lambda _: THEIRS)
    with identify(session_id="s1", metadata={"plan": "gold"}):
        call()
    assert stamps(sink) == {
        "user.id": "7",
        "session.id": "s1",
        "otel_llm.tags": ("theirs",),
        "otel_llm.metadata.plan": "gold",
        "otel_llm.metadata.n": "1",
        "otel_llm.project": "globex",
        "gen_ai.prompt.name": "theirs",
        "gen_ai.prompt.version": 3,
    }


def test_a_source_is_asked_of_the_context_that_a_span_starts_in(sink: SpanSink, source: Any) -> None:
    key = otel_context.create_key("theirs")

    def of_context(context: Context) -> Mapping[str, Any]:
        value = context.get(key)
        return {} if value is None else {"user_id": value}

    source(of_context)
    tracer().start_span("call", context=otel_context.set_value(key, "42")).end()
    call(name="other")
    assert (stamps(sink), stamps(sink, "other")) == ({"user.id": "42"}, {})


def test_a_carrier_takes_along_what_others_say(sink: SpanSink, source: Any) -> None:
    source(lambda _: THEIRS)
    carrier = capture()
    sources.clear()
    with carrier.attach():
        call()
    assert stamps(sink)["user.id"] == "7"


def test_a_source_that_fails_costs_what_it_would_have_said(
    sink: SpanSink, source: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: Context) -> Mapping[str, Any]:
        raise KeyError("langfuse")

    source(fails)
    source(lambda _: {"user_id": "42"})
    with identify(session_id="s1"):
        call()
    assert stamps(sink) == {"user.id": "42", "session.id": "s1"}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
