"""What holds for Cohere's protocols: a stream, folded, gives the facts of the whole answer; and nothing raises."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import answer, as_event_stream, torn

from otel_llm.protocols import Protocol, cohere_chat, cohere_chat_v1, cohere_embed

MODULES = (cohere_chat, cohere_chat_v1, cohere_embed)
PROTOCOLS = [Protocol(m.NAME, m.OPERATION, m.matches, m.request, m.response, m.Fold) for m in MODULES]
CHAT, CHAT_V1, EMBED = PROTOCOLS

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
COUNT = st.integers(0, 10**6)
OBJECT = st.dictionaries(TEXT, st.none() | st.integers() | TEXT, max_size=3)
REASON = st.sampled_from(["COMPLETE", "TOOL_CALL", "MAX_TOKENS", "STOP_SEQUENCE", "ERROR", "ERROR_TOXIC", "ODD"])
COUNTS = st.fixed_dictionaries({}, optional={"input_tokens": COUNT, "output_tokens": COUNT})
USAGE = st.fixed_dictionaries({"billed_units": COUNTS}, optional={"tokens": COUNTS, "cached_tokens": COUNT})

PART = st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}) | st.fixed_dictionaries(
    {"type": st.just("thinking"), "thinking": TEXT}
)
CALL = st.fixed_dictionaries(
    {
        "id": SOME_TEXT,
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": SOME_TEXT, "arguments": OBJECT.map(json.dumps) | TEXT}),
    }
)
ANSWER = st.fixed_dictionaries(
    {
        "id": SOME_TEXT,
        "message": st.fixed_dictionaries(
            {"role": st.just("assistant")},
            optional={
                "content": st.lists(PART, max_size=3),
                "tool_plan": TEXT,
                "tool_calls": st.lists(CALL, max_size=3, unique_by=lambda call: call["id"]),
                "citations": st.lists(OBJECT, max_size=2),
            },
        ),
        "finish_reason": REASON,
        "usage": USAGE,
    }
)
ANSWER_V1 = st.fixed_dictionaries(
    {"response_id": SOME_TEXT, "generation_id": SOME_TEXT, "text": TEXT, "finish_reason": REASON, "meta": USAGE},
    optional={
        "tool_calls": st.lists(st.fixed_dictionaries({"name": SOME_TEXT, "parameters": OBJECT}), max_size=2),
        "chat_history": st.lists(OBJECT, max_size=2),
    },
)


def events(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    """The answer as Cohere streams it: the plan, tool calls, then content with citations in between."""
    message = body["message"]
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": body["id"], "delta": {"message": empty}}
    for piece in torn(message.get("tool_plan", ""), rng):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, call in enumerate(message.get("tool_calls", ())):
        yield from call_events(index, call, rng)
    for index, part in enumerate(message.get("content", ())):
        yield from part_events(index, part, rng)
    yield {"type": "message-end", "delta": {"finish_reason": body["finish_reason"], "usage": body["usage"]}}


def call_events(index: int, call: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    begun = {**call, "function": {**call["function"], "arguments": ""}}
    yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": begun}}}
    for piece in torn(call["function"]["arguments"], rng):
        delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
        yield {"type": "tool-call-delta", "index": index, "delta": delta}
    yield {"type": "tool-call-end", "index": index}


def part_events(index: int, part: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    kind = part["type"]
    yield {"type": "content-start", "index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
    for piece in torn(part[kind], rng):
        yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}}
        if rng.random() < 0.2:
            yield {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "text": piece}}}}
            yield {"type": "citation-end", "index": 0}
    yield {"type": "content-end", "index": index}


def events_v1(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": body["generation_id"]}
    for piece in torn(body["text"], rng):
        yield {"is_finished": False, "event_type": "text-generation", "text": piece}
    if "tool_calls" in body:
        yield {"is_finished": False, "event_type": "tool-calls-generation", "tool_calls": body["tool_calls"]}
    yield {"is_finished": True, "event_type": "stream-end", "response": body, "finish_reason": body["finish_reason"]}


RNG = st.randoms(use_true_random=False)
LAW = settings(deadline=None, derandomize=True)


@LAW
@given(body=ANSWER, rng=RNG)
def test_a_streamed_answer_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    stream = as_event_stream(events(body, rng), named=True, rng=rng) + rng.choice((b"", b"data: [DONE]\n\n"))
    assert asdict(answer(CHAT, stream, None, rng)) == asdict(CHAT.response(body))


@LAW
@given(body=ANSWER_V1, rng=RNG, content_type=st.sampled_from([None, "application/stream+json"]))
def test_a_streamed_answer_of_v1_folds_into_the_whole_one(
    body: dict[str, Any], rng: random.Random, content_type: str | None
) -> None:
    lines = "".join(json.dumps(event) + "\n" for event in events_v1(body, rng))
    assert asdict(answer(CHAT_V1, lines.encode(), content_type, rng)) == asdict(CHAT_V1.response(body))


@LAW
@given(body=ANSWER | ANSWER_V1, rng=RNG)
def test_a_whole_answer_is_one_event(body: dict[str, Any], rng: random.Random) -> None:
    protocol = CHAT if "message" in body else CHAT_V1
    fold = protocol.fold()
    fold.feed(body)
    assert asdict(protocol.response(fold.body())) == asdict(protocol.response(body))


REQUEST_KEYS = (
    "model",
    "messages",
    "message",
    "chat_history",
    "documents",
    "tools",
    "tool_results",
    "texts",
    "inputs",
    "images",
)
ANSWER_KEYS = (
    "content",
    "text",
    "thinking",
    "tool_plan",
    "tool_calls",
    "function",
    "finish_reason",
    "usage",
    "meta",
    "embeddings",
)
KEYS = st.sampled_from([*REQUEST_KEYS, *ANSWER_KEYS, "type", "event_type", "delta", "response", "error", "index", "role"])
KINDS = ["message-start", "content-delta", "tool-call-delta", "tool-plan-delta", "message-end", "stream-end", "text-generation"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([*KINDS, "[DONE]", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
EVENT = ANYTHING | st.fixed_dictionaries({"type": st.sampled_from(KINDS), "delta": ANYTHING, "index": ANYTHING})


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(LAW, max_examples=300)
@given(request=ANYTHING, received=st.lists(EVENT, max_size=4))
def test_nothing_that_is_sent_or_received_raises(protocol: Protocol, request: Any, received: list[Any]) -> None:
    assert protocol.matches(request) in (True, False)
    json.dumps(asdict(protocol.request(request, "/v2/chat")))
    fold = protocol.fold()
    for event in received:
        json.dumps(asdict(protocol.response(event)))
        fold.feed(event)
    assert protocol.response(fold.body()) == protocol.response(fold.body())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("body", [None, [], {}, "text", 7, {"messages": None}])
def test_a_body_without_anything_has_no_facts(protocol: Protocol, body: Any) -> None:
    facts = protocol.request(body, "/")
    assert (facts.model, facts.stream, facts.attributes, facts.messages, facts.tools) == (None, False, {}, [], [])
    assert protocol.response(body) == protocol.response(None)
    assert not protocol.matches(body)
