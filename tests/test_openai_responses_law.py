"""What holds for OpenAI's responses: a stream, folded, gives the facts of the whole response; a stream that was cut gives the facts
of what came; nothing that is sent or received raises."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import answer, as_event_stream, begun_in_order, check, spoilt, torn

from otel_llm.protocols import (
    Protocol,
    RequestFacts,
    ResponseFacts,
    openai_completions,
    openai_embeddings,
    openai_responses,
    openai_responses_fetch,
)

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"
RESPONSES, FETCH, COMPLETIONS, EMBEDDINGS = PROTOCOLS = tuple(
    Protocol(module.NAME, module.OPERATION, module.matches, module.request, module.response, module.Fold)
    for module in (openai_responses, openai_responses_fetch, openai_completions, openai_embeddings)
)
EACH = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)

# --- bodies -----------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
COUNT = st.integers(0, 10**6)
OBJECT = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3)


def item(kind: str, **values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), "id": SOME_TEXT, **values})


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


def said(kind: str, key: str = "text") -> st.SearchStrategy[list[dict[str, Any]]]:
    """Parts of one kind, in a list."""
    return st.lists(st.fixed_dictionaries({"type": st.just(kind), key: TEXT}), max_size=2)


ARGUMENTS = OBJECT.map(json.dumps) | TEXT
ITEM = st.one_of(
    item("message", role=st.just("assistant"), content=said("output_text") | said("refusal", "refusal")),
    item("reasoning", summary=said("summary_text"), content=said("reasoning_text"), encrypted_content=TEXT),
    item("function_call", call_id=SOME_TEXT, name=SOME_TEXT, arguments=ARGUMENTS),
    item("custom_tool_call", call_id=SOME_TEXT, name=SOME_TEXT | st.just("x_keyword_search"), input=SOME_TEXT),
    item("code_interpreter_call", code=SOME_TEXT, container_id=SOME_TEXT, outputs=st.none() | st.lists(OBJECT, max_size=2)),
    item("mcp_call", server_label=SOME_TEXT, name=SOME_TEXT, arguments=ARGUMENTS, output=st.none() | TEXT),
    item("mcp_list_tools", server_label=SOME_TEXT, tools=st.lists(OBJECT, max_size=2)),
    item("web_search_call", action=OBJECT, status=st.just("completed")),
    item("file_search_call", queries=st.lists(TEXT, max_size=2), results=st.none() | st.lists(OBJECT, max_size=2)),
    item("image_generation_call", result=SOME_TEXT, output_format=st.just("webp")),
    item("shell_call", call_id=SOME_TEXT, action=OBJECT),
    item("shell_call_output", call_id=SOME_TEXT, output=st.lists(OBJECT, max_size=2)),
    item("compaction", encrypted_content=SOME_TEXT),
    item("item_of_tomorrow", novelty=SOME_TEXT),
)
USAGE = some(
    input_tokens=COUNT,
    output_tokens=COUNT,
    input_tokens_details=some(cached_tokens=COUNT, cache_write_tokens=COUNT),
    output_tokens_details=some(reasoning_tokens=COUNT),
    cost=st.floats(0, 10),
)
ENDING = st.sampled_from(
    [
        {"status": "completed"},
        {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        {"status": "failed", "error": {"code": "server_error", "message": "Sunk."}},
    ]
)
RESPONSE = st.builds(
    lambda body, ending: {"object": "response", **body, **ending},
    st.fixed_dictionaries(
        {"id": SOME_TEXT, "model": SOME_TEXT, "output": st.lists(ITEM, max_size=4), "usage": USAGE | st.none()},
        optional={"service_tier": SOME_TEXT, "instructions": TEXT, "temperature": st.floats(0, 2)},
    ),
    ENDING,
)


# --- how a provider would have streamed them --------------------------------------------------------------------------

#: Event types of the texts that grow, by item and key.
GROWING = {
    ("function_call", "arguments"): "function_call_arguments",
    ("mcp_call", "arguments"): "mcp_call_arguments",
    ("custom_tool_call", "input"): "custom_tool_call_input",
    ("code_interpreter_call", "code"): "code_interpreter_call_code",
    ("output_text", "text"): "output_text",
    ("refusal", "refusal"): "refusal",
    ("reasoning_text", "text"): "reasoning_text",
    ("summary_text", "text"): "reasoning_summary_text",
}


def events_of(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    begun = {**body, "status": "in_progress", "output": [], "usage": None, "service_tier": "auto", "error": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    items = [list(item_events(index, output, rng)) for index, output in enumerate(body["output"])]
    yield from begun_in_order(items, rng) if rng.random() < 0.3 else (event for events in items for event in events)
    yield {"type": f"response.{body['status']}", "response": body}


def item_events(index: int, output: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    at = {"output_index": index, "item_id": output["id"]}
    emptied = {key: "" if (output["type"], key) in GROWING else value for key, value in output.items()}
    begun = {**emptied, **{key: [] for key in ("content", "summary") if key in output}}
    yield {"type": "response.output_item.added", "item": begun, **at}
    for key in output:
        if (output["type"], key) in GROWING:
            yield from text_events(GROWING[output["type"], key], key, output[key], at, rng)
    for among, family in (("summary", "reasoning_summary_part"), ("content", "content_part")):
        for number, part in enumerate(output.get(among, ())):
            yield from part_events(family, part, {**at, f"{among}_index": number}, rng)
    if rng.random() < 0.8:
        yield {"type": "response.output_item.done", "item": output, **at}


def part_events(family: str, part: dict[str, Any], at: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    key = next(key for key in part if key != "type")
    yield {"type": f"response.{family}.added", "part": {**part, key: ""}, **at}
    yield from text_events(GROWING[part["type"], key], key, part[key], at, rng)
    if rng.random() < 0.8:
        yield {"type": f"response.{family}.done", "part": part, **at}


def text_events(kind: str, key: str, text: str, at: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    for piece in torn(text, rng):
        yield {"type": f"response.{kind}.delta", "delta": piece, "obfuscation": "x" * rng.randint(0, 9), **at}
    if rng.random() < 0.1:
        yield {"type": "response.event_of_tomorrow", **at}
    if rng.random() < 0.8:
        yield {"type": f"response.{kind}.done", key: text, **at}


RNG = st.randoms(use_true_random=False)
LAW = settings(deadline=None, derandomize=True)


@pytest.mark.parametrize("protocol", [RESPONSES, FETCH], ids=lambda protocol: protocol.name)
@LAW
@given(body=RESPONSE, rng=RNG)
def test_a_streamed_response_folds_into_the_whole_one(protocol: Protocol, body: dict[str, Any], rng: random.Random) -> None:
    stream = as_event_stream(events_of(body, rng), named=rng.random() < 0.7, rng=rng)
    assert asdict(answer(protocol, stream, None, rng)) == asdict(protocol.response(body))


@LAW
@given(body=RESPONSE, rng=RNG)
def test_without_its_last_event_a_stream_lacks_only_what_that_alone_tells(body: dict[str, Any], rng: random.Random) -> None:
    *events, _ = events_of(body, rng)
    fold = RESPONSES.fold()
    for event in events:
        fold.feed(event)
    assert not fold.done
    pending = {**body, "status": "in_progress", "error": None, "usage": None}
    assert asdict(RESPONSES.response(fold.body())) == asdict(RESPONSES.response(pending))


# --- nothing raises ---------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["[DONE]", "message", "error"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
REQUEST = some(
    model=SOME_TEXT,
    input=TEXT | st.lists(ITEM, max_size=3) | st.lists(TEXT) | st.lists(COUNT),
    instructions=TEXT,
    tools=st.lists(
        some(type=SOME_TEXT, name=SOME_TEXT, tools=st.lists(OBJECT, max_size=1), server_label=SOME_TEXT), max_size=2
    ),
    text=some(format=OBJECT),
    prompt=TEXT | some(id=SOME_TEXT, version=SOME_TEXT | COUNT),
    conversation=OBJECT | TEXT,
    suffix=TEXT,
    stop=TEXT,
    encoding_format=TEXT,
    dimensions=COUNT,
)
OTHER_BODY = some(
    id=SOME_TEXT,
    choices=st.lists(some(index=COUNT, text=TEXT, finish_reason=SOME_TEXT), max_size=2),
    data=st.lists(some(embedding=TEXT | st.lists(st.floats())), max_size=2),
    usage=some(prompt_tokens=COUNT, total_tokens=COUNT),
)


@EACH
@settings(LAW, max_examples=200)
@given(data=st.data(), rng=RNG)
def test_nothing_that_is_sent_or_received_raises(protocol: Protocol, data: st.DataObject, rng: random.Random) -> None:
    something = lambda: data.draw(ANYTHING)  # noqa: E731  (draws anew at each place)
    asked = spoilt(data.draw(REQUEST | ANYTHING), rng, something)
    check(protocol.request(asked, data.draw(st.text() | st.just("/openai/deployments/%ff/responses/%ff"))))
    assert protocol.matches(asked) in (True, False)

    body = data.draw(RESPONSE | OTHER_BODY | ANYTHING)
    check(protocol.response(spoilt(body, rng, something)))

    fold = protocol.fold()
    for event in events_of(body, rng) if isinstance(body, dict) and "output" in body else [body]:
        fold.feed(spoilt(event, rng, something))
    check(protocol.response(fold.body()))
    assert protocol.response(fold.body()) == protocol.response(fold.body())


@EACH
@pytest.mark.parametrize("body", [None, [], {}, "text", 7, {"choices": [None]}, {"output": None}, {"data": [None]}])
def test_a_body_without_anything_has_no_facts(protocol: Protocol, body: Any) -> None:
    assert protocol.response(body) == ResponseFacts()
    assert protocol.request(body, "/") == RequestFacts(operation=protocol.operation)
    assert not protocol.matches(body)
