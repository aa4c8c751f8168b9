"""What holds for Ollama's protocols: lines, folded, give the facts of the whole answer; and nothing raises."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import answer, torn

from otel_llm.protocols import Protocol, ollama_chat, ollama_embed, ollama_generate

MODULES = (ollama_chat, ollama_generate, ollama_embed)
PROTOCOLS = [Protocol(m.NAME, m.OPERATION, m.matches, m.request, m.response, m.Fold) for m in MODULES]
CHAT, GENERATE, EMBED = PROTOCOLS

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
COUNT = st.integers(0, 10**6)
OBJECT = st.dictionaries(TEXT, st.none() | st.integers() | TEXT, max_size=3)
CALL = st.fixed_dictionaries(
    {"function": st.fixed_dictionaries({"name": TEXT, "arguments": OBJECT}, optional={"index": COUNT})}, optional={"id": TEXT}
)
LAST = {
    "done_reason": st.sampled_from(["stop", "length", "load", "odd"]),
    "prompt_eval_count": COUNT,
    "eval_count": COUNT,
    "total_duration": COUNT,
    "context": st.lists(COUNT, max_size=3),
}
TOP = {"model": TEXT, "created_at": TEXT, "done": st.just(True)}
CHAT_ANSWER = st.fixed_dictionaries(
    {
        **TOP,
        "message": st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": TEXT},
            optional={"thinking": TEXT, "tool_calls": st.lists(CALL, max_size=3)},
        ),
    },
    optional={**LAST, "error": TEXT},
)
GENERATE_ANSWER = st.fixed_dictionaries(
    {**TOP, "response": TEXT}, optional={**LAST, "thinking": TEXT, "tool_calls": st.lists(CALL, max_size=2), "image": TEXT}
)


def lines(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    """The answer as Ollama streams it: pieces, then a last line with the counts, which may hold a piece too."""
    said = body.get("message", body)
    pieces = [{key: piece} for key in ("thinking", "response", "content") for piece in torn(said.get(key, ""), rng)]
    pieces = [piece for piece in pieces if next(iter(piece)) in said]
    pieces += [{"tool_calls": [call]} for call in said.get("tool_calls", ())]
    for piece in pieces:
        beside = {"content": ""} if "message" in body and "content" not in piece else {}
        piece = {"message": {"role": "assistant", **beside, **piece}} if "message" in body else piece
        yield {"model": body["model"], "created_at": "earlier", "done": False, **piece}
    last = {key: value for key, value in body.items() if key not in ("message", "response", "thinking", "tool_calls")}
    yield {**last, **({"message": {"role": "assistant", "content": ""}} if "message" in body else {"response": ""})}


def as_lines(events: Iterator[dict[str, Any]], rng: random.Random) -> bytes:
    """Lines with the liberties that servers and proxies take."""
    end = rng.choice(("\n", "\r\n", "\n\n"))
    wire = end.join(json.dumps(event, ensure_ascii=rng.random() < 0.5) for event in events)
    return (wire + rng.choice(("", end))).encode()


RNG = st.randoms(use_true_random=False)
LAW = settings(deadline=None, derandomize=True)


@LAW
@given(body=CHAT_ANSWER | GENERATE_ANSWER, rng=RNG, content_type=st.sampled_from([None, "application/x-ndjson"]))
def test_a_streamed_answer_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random, content_type: str | None) -> None:
    protocol = CHAT if "message" in body else GENERATE
    assert asdict(answer(protocol, as_lines(lines(body, rng), rng), content_type, rng)) == asdict(protocol.response(body))


@LAW
@given(body=CHAT_ANSWER | GENERATE_ANSWER, rng=RNG)
def test_a_document_in_pieces_is_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    protocol = CHAT if "message" in body else GENERATE
    whole = json.dumps(body, indent=rng.choice((None, 2))).encode()
    assert asdict(answer(protocol, whole, "application/json", rng)) == asdict(protocol.response(body))


REQUEST_KEYS = ("model", "messages", "prompt", "system", "images", "options", "stop", "format", "tools", "input")
ANSWER_KEYS = (
    "message",
    "role",
    "content",
    "thinking",
    "tool_calls",
    "function",
    "arguments",
    "response",
    "image",
    "embedding",
)
KEYS = st.sampled_from([*REQUEST_KEYS, *ANSWER_KEYS, "embeddings", "error", "done"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["[DONE]", "tool"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(LAW, max_examples=300)
@given(request=ANYTHING, events=st.lists(ANYTHING, max_size=4))
def test_nothing_that_is_sent_or_received_raises(protocol: Protocol, request: Any, events: list[Any]) -> None:
    assert protocol.matches(request) in (True, False)
    json.dumps(asdict(protocol.request(request, "/api/chat")))
    fold = protocol.fold()
    for event in events:
        json.dumps(asdict(protocol.response(event)))
        fold.feed(event)
    assert protocol.response(fold.body()) == protocol.response(fold.body())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("body", [None, [], {}, "text", 7, {"messages": None}, {"model": ""}])
def test_a_body_without_anything_has_no_facts(protocol: Protocol, body: Any) -> None:
    facts = protocol.request(body, "/")
    assert (facts.model, facts.stream, facts.attributes, facts.messages, facts.tools) == (None, False, {}, [], [])
    assert protocol.response(body) == protocol.response(None)
    assert not protocol.matches(body)
