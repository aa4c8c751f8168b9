"""What holds for every protocol.

The law that recording rests on: a stream, folded, gives the facts that the whole body gives. Beside it, that nothing a vendor or an
application may send raises.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import answer, as_event_stream, check, completion_chunks, cut, message_events, spoilt

from otel_llm.protocols import PROTOCOLS, Protocol, RequestFacts, ResponseFacts
from otel_llm.protocols.framing import Framing

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
COUNT = st.integers(0, 10**6)


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


CALL = st.fixed_dictionaries(
    {"id": SOME_TEXT, "type": st.just("function")}
    | {"function": st.fixed_dictionaries({"name": SOME_TEXT, "arguments": OBJECT.map(json.dumps) | TEXT})}
) | st.fixed_dictionaries(
    {"id": SOME_TEXT, "type": st.just("custom"), "custom": st.fixed_dictionaries({"name": SOME_TEXT, "input": SOME_TEXT})}
)
MISTRAL_CONTENT = st.lists(SOME_TEXT, min_size=2, max_size=4).map(
    lambda texts: [
        {"type": "text", "text": text} if n % 2 else {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
        for n, text in enumerate(texts)
    ]
)
COMPLETION_MESSAGE = some(
    role=st.just("assistant"),
    content=TEXT | MISTRAL_CONTENT | st.none(),
    refusal=TEXT | st.none(),
    reasoning_content=TEXT,
    reasoning=TEXT,
    reasoning_details=SOME_TEXT.map(lambda text: [{"type": "reasoning.text", "text": text, "index": 0, "signature": "s"}]),
    tool_calls=st.lists(CALL, max_size=3, unique_by=lambda call: call["id"]),
    function_call=st.fixed_dictionaries({"name": SOME_TEXT, "arguments": OBJECT.map(json.dumps)}),
)
COMPLETION_USAGE = some(
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT,
    prompt_tokens_details=some(cached_tokens=COUNT, cache_write_tokens=COUNT) | st.none(),
    completion_tokens_details=some(reasoning_tokens=COUNT),
    cost=st.floats(0, 10),
    cached_tokens=COUNT,
)
COMPLETION = st.fixed_dictionaries(
    {
        "id": SOME_TEXT,
        "model": SOME_TEXT,
        "choices": st.lists(
            st.fixed_dictionaries(
                {"message": COMPLETION_MESSAGE, "finish_reason": st.sampled_from(["stop", "tool_calls", "length", "odd", None])}
            ),
            min_size=1,
            max_size=3,
        ).map(lambda choices: [{"index": index, **choice} for index, choice in enumerate(choices)]),
    },
    optional={
        "usage": COMPLETION_USAGE,
        "service_tier": SOME_TEXT,
        "system_fingerprint": SOME_TEXT,
        "provider": SOME_TEXT,
        "error": st.fixed_dictionaries({"code": st.integers(400, 599), "message": SOME_TEXT}),
    },
)

BLOCK = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text"), "text": TEXT}, optional={"citations": st.lists(OBJECT, min_size=1, max_size=2)}
    ),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": SOME_TEXT}),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": SOME_TEXT}),
    st.fixed_dictionaries({"type": st.just("tool_use"), "id": SOME_TEXT, "name": SOME_TEXT, "input": OBJECT}),
    st.fixed_dictionaries({"type": st.just("server_tool_use"), "id": SOME_TEXT, "name": SOME_TEXT, "input": OBJECT}),
    st.fixed_dictionaries(
        {"type": st.just("web_search_tool_result"), "tool_use_id": SOME_TEXT, "content": st.lists(OBJECT, max_size=2)}
    ),
    st.fixed_dictionaries({"type": st.just("compaction"), "content": SOME_TEXT}),
    st.fixed_dictionaries({"type": st.just("block_of_tomorrow"), "novelty": SOME_TEXT}),
)
MESSAGE = st.fixed_dictionaries(
    {
        "id": SOME_TEXT,
        "type": st.just("message"),
        "role": st.just("assistant"),
        "model": SOME_TEXT,
        "content": st.lists(BLOCK, max_size=4),
        "stop_reason": st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal", "pause_turn", None]),
        "usage": st.fixed_dictionaries(
            {"input_tokens": COUNT, "output_tokens": COUNT},
            optional={
                "cache_read_input_tokens": COUNT,
                "cache_creation_input_tokens": COUNT,
                "cache_creation": some(ephemeral_5m_input_tokens=COUNT, ephemeral_1h_input_tokens=COUNT),
                "output_tokens_details": some(thinking_tokens=COUNT),
                "service_tier": SOME_TEXT,
            },
        ),
    }
)

# --- the law -----------------------------------------------------------------------------------------------------------

RNG = st.randoms(use_true_random=False)
LAW = settings(deadline=None, derandomize=True)


@LAW
@given(body=COMPLETION, rng=RNG)
def test_a_streamed_completion_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    stream = as_event_stream(completion_chunks(body, rng), named=False, rng=rng)
    protocol = PROTOCOLS["openai_chat"]
    assert asdict(answer(protocol, stream, None, rng)) == asdict(protocol.response(body))


@LAW
@given(body=MESSAGE, rng=RNG)
def test_a_streamed_message_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    stream = as_event_stream(message_events(body, rng), named=True, rng=rng)
    protocol = PROTOCOLS["anthropic_messages"]
    assert asdict(answer(protocol, stream, None, rng)) == asdict(protocol.response(body))


@LAW
@given(body=COMPLETION | MESSAGE, rng=RNG)
def test_a_document_in_pieces_is_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    protocol = PROTOCOLS["openai_chat" if "choices" in body else "anthropic_messages"]
    whole = json.dumps(body, indent=rng.choice((None, 2)), ensure_ascii=False).encode()
    assert asdict(answer(protocol, whole, "application/json", rng)) == asdict(protocol.response(body))


# --- nothing raises ---------------------------------------------------------------------------------------------------

REQUEST = some(
    model=SOME_TEXT,
    stream=st.booleans(),
    messages=st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant", "tool"])}, optional={"content": TEXT | MISTRAL_CONTENT}
        ),
        max_size=3,
    ),
    tools=st.lists(some(type=st.just("function"), function=OBJECT, name=SOME_TEXT), max_size=2),
    temperature=st.floats(),
    max_tokens=COUNT,
    stop=TEXT | st.lists(TEXT),
    system=TEXT | st.lists(BLOCK, max_size=2),
    response_format=OBJECT,
    n=COUNT,
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["text", "error", "[DONE]", "tool_use"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@settings(LAW, max_examples=200)
@given(data=st.data(), rng=RNG)
def test_nothing_that_is_sent_or_received_raises(protocol: Protocol, data: st.DataObject, rng: random.Random) -> None:
    something = lambda: data.draw(ANYTHING)  # noqa: E731  (draws anew at each place)
    request = spoilt(data.draw(REQUEST | ANYTHING), rng, something)
    check(protocol.request(request, data.draw(st.text() | st.just("/openai/deployments/%ff/chat/completions"))))
    assert protocol.matches(request) in (True, False)

    body = data.draw(COMPLETION | MESSAGE | ANYTHING)
    check(protocol.response(spoilt(body, rng, something)))

    fold = protocol.fold()
    events = completion_chunks if isinstance(body, dict) and "choices" in body else message_events
    for event in events(body, rng) if isinstance(body, dict) and "model" in body else [body]:
        fold.feed(spoilt(event, rng, something))
    check(protocol.response(fold.body()))
    assert protocol.response(fold.body()) == protocol.response(fold.body())


@LAW
@given(data=st.binary(), content_type=st.text() | st.sampled_from(["text/event-stream", "application/json"]), rng=RNG)
def test_no_bytes_raise(data: bytes, content_type: str, rng: random.Random) -> None:
    framing = Framing(content_type)
    for piece in cut(data, rng):
        framing.feed(piece)
    framing.end()


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS.keys())
@pytest.mark.parametrize("body", [None, [], {}, "text", 7, {"choices": [None]}, {"messages": None}])
def test_a_body_without_anything_has_no_facts(protocol: Protocol, body: Any) -> None:
    assert protocol.response(body) == ResponseFacts()
    assert protocol.request(body, "/") == RequestFacts(protocol.operation)
    assert not protocol.matches(body)
