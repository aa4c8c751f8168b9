"""What holds for every protocol.

The law that recording rests on: a stream, folded, gives the facts that the whole body gives. Beside it, exchanges with the facts
expected of them, and that nothing a vendor or an application may send raises.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import MISSING, asdict, fields
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm import semconv
from otel_llm.attributes import call_attributes, content_attributes
from otel_llm.endpoints import recognise
from otel_llm.protocols import PROTOCOLS, Protocol, RequestFacts, ResponseFacts
from otel_llm.protocols.framing import Framing

EXCHANGES = Path(__file__).parent / "exchanges"
SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """The data in pieces of random sizes."""
    pieces = []
    while data:
        size = rng.choice((1, 2, 3, 7, 19, 64, 500, 4000))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def answer(protocol: Protocol, body: bytes, content_type: str | None, rng: random.Random) -> ResponseFacts:
    """Facts of a response that arrives in pieces."""
    framing, fold, events = Framing(content_type), protocol.fold(), list[Any]()
    for piece in cut(body, rng):
        events += framing.feed(piece)
    events += framing.end()
    assert framing.skipped == 0
    if not framing.streamed:
        return protocol.response(events[0])
    for event in events:
        fold.feed(event)
    return protocol.response(fold.body())


# --- exchanges --------------------------------------------------------------------------------------------------------


def said(facts: Any) -> dict[str, Any]:
    """Facts without what is not there, in the types of JSON."""
    told = {}
    for field in fields(facts):
        value = getattr(facts, field.name)
        empty = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != empty:
            told[field.name] = said(value) if hasattr(value, "__dataclass_fields__") else value
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


@pytest.mark.parametrize("path", sorted(EXCHANGES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_exchange_has_these_facts(path: Path) -> None:
    exchange = json.loads(path.read_text())
    request, response, expected = exchange["request"], exchange["response"], exchange["facts"]
    url = urlsplit(request["url"])

    endpoint = recognise(request["method"], url.hostname or "", url.path, url.port)

    assert endpoint is not None
    assert (endpoint.provider, endpoint.protocol.name, endpoint.certain) == (expected["provider"], expected["protocol"], True)
    assert endpoint.protocol.matches(request["body"])
    assert said(endpoint.protocol.request(request["body"], url.path)) == expected["request"]
    body, content_type = response["body_text"].encode(), response["headers"].get("content-type")
    assert said(answer(endpoint.protocol, body, content_type, random.Random(7))) == expected["response"]


# --- recordings -------------------------------------------------------------------------------------------------------

SPOKEN = ("chat_completions", "anthropic-messages")
RECORDINGS = sorted(path for path in (SHARED / "exchanges").glob("*.json") if any(kind in path.stem for kind in SPOKEN))


@pytest.fixture(scope="module")
def scorer() -> ModuleType:
    """The scorer of the recordings, for its rules of comparison."""
    spec = importlib.util.spec_from_file_location("replay_exchanges", SHARED / "tools" / "replay_exchanges.py")
    assert spec
    assert spec.loader
    module, before = importlib.util.module_from_spec(spec), os.environ.copy()
    spec.loader.exec_module(module)
    os.environ.clear()
    os.environ.update(before)
    return module


@pytest.mark.skipif(not RECORDINGS, reason="the recordings are not beside the repository")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_has_the_facts_that_were_read_from_it(path: Path, scorer: ModuleType) -> None:
    exchange = json.loads(path.read_text())
    request, response, expected = exchange["request"], exchange["response"], exchange["expect"]
    url = urlsplit(request["url"])
    endpoint = recognise(request["method"], url.hostname or "", url.path, url.port)
    assert endpoint is not None
    assert endpoint.protocol.matches(request["body"])

    asked = endpoint.protocol.request(request["body"], url.path)
    body, content_type = response["body_text"].encode(), response["headers"].get("content-type")
    facts = answer(endpoint.protocol, body, content_type, random.Random(path.stem))

    wrong = [row for row in scorer.compare(exchange, as_span(asked, facts, response["status"])) if not row[1]]
    assert wrong == []
    assert (facts.error and facts.error.type) == expected["error_type"]
    assert len(asked.messages) == expected["n_input_messages"]
    thoughts = [part["content"] for message in facts.messages for part in message["parts"] if part["type"] == "reasoning"]
    assert "".join(thoughts) == (expected["reasoning_text"] or "")


def as_span(request: RequestFacts, response: ResponseFacts, status: int) -> Any:
    """The facts where the scorer looks for them."""
    attributes = {**call_attributes(request, response), **content_attributes(request, response)}
    attributes[semconv.OPERATION_NAME] = request.operation
    failed = response.error is not None or status >= 400
    if failed:
        attributes[semconv.ERROR_TYPE] = response.error.type if response.error else str(status)
    return SimpleNamespace(
        attributes=attributes, status=SimpleNamespace(status_code=SimpleNamespace(name="ERROR" if failed else ""))
    )


# --- the law: bodies --------------------------------------------------------------------------------------------------

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


# --- the law: how a provider would have streamed them -----------------------------------------------------------------


def torn(text: str, rng: random.Random) -> list[str]:
    """A text in one or more pieces."""
    edges = sorted({0, len(text), *(rng.randint(0, len(text)) for _ in range(rng.randint(0, 3)))})
    return [text[start:end] for start, end in pairwise(edges)] or [text]


def interleaved(sequences: list[list[Any]], rng: random.Random) -> Iterator[Any]:
    """All elements, those of each sequence in their order."""
    waiting = [list(sequence) for sequence in sequences if sequence]
    while waiting:
        sequence = rng.choice(waiting)
        yield sequence.pop(0)
        waiting = [sequence for sequence in waiting if sequence]


def call_deltas(index: int, call: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    kind, key = ("function", "arguments") if "function" in call else ("custom", "input")
    name, arguments = call[kind]["name"], call[kind][key]
    first = {"index": index, "id": call["id"], "type": call["type"], kind: {"name": name, key: rng.choice(("", None))}}
    rest = [{"index": index, "id": rng.choice(("", None, call["id"])), kind: {key: piece}} for piece in torn(arguments, rng)]
    return [{"tool_calls": [piece]} for piece in (first, *rest)]


def message_deltas(message: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": rng.choice(("", None))}]
    for key in ("reasoning_content", "reasoning", "refusal", "content"):
        if isinstance(message.get(key), str):
            deltas += [{key: piece} for piece in torn(message[key], rng)]
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if part["type"] == "text":
            deltas += [{"content": piece} for piece in torn(part["text"], rng)]
        else:
            pieces = torn(part["thinking"][0]["text"], rng)
            deltas += [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]}]} for piece in pieces]
    for detail in message.get("reasoning_details", ()):
        grown = [{"type": detail["type"], "index": detail["index"], "text": piece} for piece in torn(detail["text"], rng)]
        deltas += [{"reasoning_details": [piece]} for piece in (*grown, {**detail, "text": None})]
    if "function_call" in message:
        name, arguments = message["function_call"]["name"], message["function_call"]["arguments"]
        deltas += [{"function_call": {"name": name, "arguments": ""}}]
        deltas += [{"function_call": {"arguments": piece}} for piece in torn(arguments, rng)]
    calls = [call_deltas(index, call, rng) for index, call in enumerate(message.get("tool_calls") or ())]
    return [*deltas, *begun_in_order(calls, rng)]


def begun_in_order(calls: list[list[Any]], rng: random.Random) -> list[Any]:
    """Calls begin one after the other; their arguments may then interleave."""
    return [call[0] for call in calls] + list(interleaved([call[1:] for call in calls], rng))


def completion_chunks(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    top: dict[str, Any] = {
        key: body[key] for key in ("id", "model", "service_tier", "system_fingerprint", "provider") if key in body
    }
    usage = {"usage": body["usage"]} if "usage" in body else {}
    if rng.random() < 0.3:
        yield {"choices": [], "id": "", "model": "", "created": 0, "prompt_filter_results": []}
    choices = [
        [{"index": choice["index"], "delta": delta, "finish_reason": None} for delta in message_deltas(choice["message"], rng)]
        + [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}]
        for choice in body["choices"]
    ]
    for choice in interleaved(choices, rng):
        so_far = {"usage": {"prompt_tokens": 1}} if body.get("usage") and rng.random() < 0.2 else {"usage": None}
        yield {**top, "choices": [choice], **so_far, "obfuscation": "x" * rng.randint(0, 9)}
    error = {"error": body["error"]} if "error" in body else {}
    repeated = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    yield {**top, **error, **usage, "choices": rng.choice(([], [repeated]))}


def message_events(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    usage = body["usage"]
    late = {key for key in usage if key != "service_tier" and rng.random() < 0.5} | {"output_tokens"}
    early = {key: 1 if key in late and isinstance(value, int) else value for key, value in usage.items()}
    yield {"type": "message_start", "message": {**body, "content": [], "stop_reason": None, "usage": early}}
    for index, block in enumerate(body["content"]):
        yield from block_events(index, block, rng)
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {key: usage[key] for key in late}}
    yield {"type": "message_stop"}


def block_events(index: int, block: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    start, deltas = dict(block), list[dict[str, Any]]()
    for key, kind in (("text", "text_delta"), ("thinking", "thinking_delta"), ("signature", "signature_delta")):
        if key in block:
            start[key] = ""
            deltas += [{"type": kind, key: piece} for piece in torn(block[key], rng)]
    if block["type"] == "compaction":
        start["content"] = None
        deltas += [{"type": "compaction_delta", "content": block["content"]}]
    for citation in start.pop("citations", ()):
        deltas.insert(rng.randint(0, len(deltas)), {"type": "citations_delta", "citation": citation})
    if "input" in block:
        start["input"] = {}
        pieces = torn(json.dumps(block["input"], ensure_ascii=False), rng) if block["input"] else []
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        if rng.random() < 0.1:
            yield {"type": "ping"}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def as_event_stream(events: Iterator[dict[str, Any]], named: bool, rng: random.Random) -> bytes:
    """Server-sent events with the liberties that vendors take."""
    line_end, wire = rng.choice(("\n", "\r\n", "\r")), []
    for event in events:
        lines = [f"data:{rng.choice(('', ' '))}{json.dumps(event, ensure_ascii=rng.random() < 0.5)}{' ' * rng.randint(0, 2)}"]
        if named:
            lines.insert(rng.choice((0, 1)), f"event: {event['type']}")
        if rng.random() < 0.1:
            wire += [": keep-alive", ""]
        wire += [*lines, ""]
    if not named:
        wire += ["data: [DONE]", ""]
    return (line_end.join(wire) + line_end).encode()


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


def spoilt(value: Any, rng: random.Random, something: Callable[[], Any]) -> Any:
    """The value with some of its insides replaced by anything."""
    if rng.random() < 0.15:
        return something()
    if isinstance(value, dict):
        return {key: spoilt(inner, rng, something) for key, inner in value.items()}
    return [spoilt(inner, rng, something) for inner in value] if isinstance(value, list) else value


def check(facts: RequestFacts | ResponseFacts) -> None:
    """Facts that can be attributes of a span."""
    for value in (*facts.attributes.values(), facts.model):
        assert value is None or isinstance(value, str | bool | int | float | tuple)
    for message in facts.messages:
        assert all(isinstance(part["type"], str) for part in message["parts"])
    json.dumps(facts.messages)


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
    assert said(protocol.response(body)) == {}
    assert said(protocol.request(body, "/")) == {"operation": "chat"}
    assert not protocol.matches(body)
