"""What holds for Google's protocols: a stream, folded, gives the facts that the whole body gives, and nothing raises."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import asdict
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import answer, as_event_stream, check, interleaved, spoilt, torn

from otel_llm.protocols import Protocol, RequestFacts, ResponseFacts, gemini, gemini_embeddings, gemini_interactions

RNG = st.randoms(use_true_random=False)
LAW = settings(deadline=None, derandomize=True)

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SOME_TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
COUNT = st.integers(0, 10**6)


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with any of these keys."""
    return st.fixed_dictionaries({}, optional=values)


def protocol_of(module: ModuleType) -> Protocol:
    return Protocol(module.NAME, module.OPERATION, module.matches, module.request, module.response, module.Fold)


PROTOCOLS = [protocol_of(module) for module in (gemini, gemini_embeddings, gemini_interactions)]


# --- bodies -----------------------------------------------------------------------------------------------------------

#: Arguments that Vertex AI can stream as paths and values: names that need no quoting, values without empty objects.
ARGUMENTS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    TEXT | st.integers() | st.booleans() | st.none() | st.lists(st.integers(), min_size=1, max_size=3),
    max_size=3,
)
CALL = st.fixed_dictionaries({"name": SOME_TEXT, "args": ARGUMENTS}, optional={"id": SOME_TEXT})
PART = st.one_of(
    st.fixed_dictionaries({"text": TEXT}, optional={"thought": st.just(True), "thoughtSignature": SOME_TEXT}),
    st.fixed_dictionaries({"functionCall": CALL}, optional={"thoughtSignature": SOME_TEXT}),
    st.fixed_dictionaries({"inlineData": st.fixed_dictionaries({"mimeType": st.just("image/png"), "data": SOME_TEXT})}),
    st.fixed_dictionaries({"executableCode": st.fixed_dictionaries({"language": st.just("PYTHON"), "code": SOME_TEXT})}),
    st.fixed_dictionaries({"codeExecutionResult": st.fixed_dictionaries({"outcome": st.just("OUTCOME_OK")})}),
    st.fixed_dictionaries({"partOfTomorrow": OBJECT}),
)
CANDIDATE = st.fixed_dictionaries(
    {},
    optional={
        "content": st.fixed_dictionaries({"role": st.just("model"), "parts": st.lists(PART, max_size=5)}),
        "finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "ODD", 1, 2, 15, 99]),
        "safetyRatings": st.lists(OBJECT, max_size=1),
    },
)
GENERATED = st.fixed_dictionaries(
    {},
    optional={
        "candidates": st.lists(CANDIDATE, min_size=1, max_size=3).map(
            lambda candidates: [{**candidate, "index": index} for index, candidate in enumerate(candidates)]
        ),
        "promptFeedback": some(blockReason=st.just("SAFETY")),
        "usageMetadata": some(
            promptTokenCount=COUNT,
            candidatesTokenCount=COUNT,
            thoughtsTokenCount=COUNT,
            toolUsePromptTokenCount=COUNT,
            cachedContentTokenCount=COUNT,
            serviceTier=SOME_TEXT,
        ),
        "responseId": SOME_TEXT,
        "modelVersion": SOME_TEXT,
        "error": st.fixed_dictionaries({"code": st.integers(400, 599), "message": SOME_TEXT}),
    },
)

SAID = st.fixed_dictionaries({"type": st.just("text"), "text": TEXT})
IMAGE = st.fixed_dictionaries({"type": st.just("image"), "mime_type": st.just("image/png"), "data": SOME_TEXT})
STEP = st.one_of(
    st.fixed_dictionaries({"type": st.just("model_output"), "content": st.lists(SAID | IMAGE, max_size=4)}),
    st.fixed_dictionaries({"type": st.just("thought")}, optional={"summary": st.lists(SAID, max_size=3), "signature": TEXT}),
    st.fixed_dictionaries({"type": st.just("function_call"), "id": SOME_TEXT, "name": SOME_TEXT, "arguments": OBJECT}),
    st.fixed_dictionaries({"type": st.just("google_search_call"), "id": SOME_TEXT, "arguments": OBJECT}),
    st.fixed_dictionaries({"type": st.just("google_search_result"), "call_id": SOME_TEXT, "result": st.lists(OBJECT)}),
    st.fixed_dictionaries({"type": st.just("step_of_tomorrow"), "novelty": SOME_TEXT}),
)
INTERACTION = st.fixed_dictionaries(
    {
        "id": SOME_TEXT,
        "status": st.sampled_from(["completed", "requires_action", "incomplete", "failed", "in_progress", "cancelled"]),
        "steps": st.lists(STEP, max_size=4),
    },
    optional={
        "model": SOME_TEXT,
        "agent": SOME_TEXT,
        "service_tier": SOME_TEXT,
        "usage": some(
            total_input_tokens=COUNT, total_output_tokens=COUNT, total_thought_tokens=COUNT, total_tool_use_tokens=COUNT
        ),
    },
)
VECTORS = some(
    embeddings=st.lists(some(values=st.lists(st.floats(-1, 1), max_size=3)), max_size=2),
    predictions=st.lists(some(embeddings=some(values=st.lists(st.floats(-1, 1)), statistics=some(token_count=COUNT)))),
    usageMetadata=some(promptTokenCount=COUNT),
)


# --- how Google would have streamed them ------------------------------------------------------------------------------


def pieces_of(part: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    if "text" in part:
        return [{**part, "text": piece} for piece in torn(part["text"], rng)]
    if "functionCall" in part and rng.random() < 0.5:
        return list(call_pieces(part, rng))
    return [part]


def call_pieces(part: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    """A call whose arguments are streamed: its name, the arguments by their paths, and an empty end."""
    call = part["functionCall"]
    named = {key: value for key, value in call.items() if key != "args"}
    yield {**part, "functionCall": {**named, "willContinue": True}}
    for name, value in call["args"].items():
        for path, inner in enumerate(value) if isinstance(value, list) else [(None, value)]:
            at = f"$.{name}" if path is None else f"$['{name}'][{path}]"
            for piece in torn(inner, rng) if isinstance(inner, str) else [inner]:
                partial = {"jsonPath": at, **typed(piece), "willContinue": True}
                yield {"functionCall": {"partialArgs": [partial], "willContinue": True}}
    yield {"functionCall": {}}


def typed(value: Any) -> dict[str, Any]:
    if value is None:
        return {"nullValue": "NULL_VALUE"}
    kind = "stringValue" if isinstance(value, str) else "boolValue" if isinstance(value, bool) else "numberValue"
    return {kind: value}


def candidate_pieces(candidate: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    index, parts = {"index": candidate["index"]}, candidate.get("content", {}).get("parts", [])
    pieces = [{**index, "content": {"role": "model", "parts": [piece]}} for part in parts for piece in pieces_of(part, rng)]
    return [*pieces, {key: value for key, value in candidate.items() if key != "content"}]


def chunks(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    top: dict[str, Any] = {key: body[key] for key in ("responseId", "modelVersion") if key in body}
    traffic = {"usageMetadata": {"trafficType": "ON_DEMAND"}}
    early = {"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 7, "thoughtsTokenCount": 7}}
    complete = any(key.endswith("TokenCount") for key in body.get("usageMetadata", {}))
    for candidate in interleaved([candidate_pieces(each, rng) for each in body.get("candidates", ())], rng):
        yield {**top, "candidates": [candidate], **rng.choice((traffic, early) if complete else ({},))}
    yield {**top, **{key: body[key] for key in ("promptFeedback", "usageMetadata", "error") if key in body}}
    if complete:
        yield traffic


def events(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    """Steps of an interaction, or, as until 2026, bare contents where a step is nothing else."""
    told = {key: value for key, value in body.items() if key != "steps"}
    names = rng.choice((("created", "completed"), ("start", "complete")))
    yield {"event_type": f"interaction.{names[0]}", "interaction": {**told, "status": "in_progress", "usage": None}}
    yield {"event_type": "interaction.status_update", "interaction_id": body["id"], "status": "in_progress"}
    running = [list(step_events(index, step, rng)) for index, step in enumerate(body["steps"])]
    yield from interleaved(running, rng)
    yield {"event_type": f"interaction.{names[1]}", "interaction": told}


def step_events(index: int, step: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    kind, bare = "step", {key: value for key, value in step.items() if key not in ("content", "summary", "arguments", "result")}
    contents = step.get("content", [])
    if len(contents) == 1 and rng.random() < 0.5:
        kind, bare = "content", {"type": contents[0]["type"]}
    yield {"event_type": f"{kind}.start", "index": index, kind: bare}
    for delta in deltas(step, rng):
        yield {"event_type": f"{kind}.delta", "index": index, "delta": delta}
    yield {"event_type": f"{kind}.stop", "index": index}


def deltas(step: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    for content in step.get("content", ()):
        texts = torn(content["text"], rng) if "text" in content else None
        yield from [content] if texts is None else [{"type": "text", "text": piece} for piece in texts]
    for thought in step.get("summary", ()):
        for piece in torn(thought["text"], rng):
            yield {"type": "thought_summary", "content": {"type": "text", "text": piece}}
    if "signature" in step:
        yield {"type": "thought_signature", "signature": step["signature"]}
    if step["type"] == "function_call" and rng.random() < 0.7:
        for piece in torn(json.dumps(step["arguments"]), rng):
            yield {"type": "arguments_delta", "arguments": piece}
    elif {"arguments", "result"} & set(step):
        yield {key: value for key, value in step.items() if key not in ("id", "call_id")}


def as_array(chunks: Iterator[dict[str, Any]]) -> bytes:
    """A stream without ``alt=sse``."""
    return ("[" + "\n,\r\n".join(json.dumps(chunk, indent=2) for chunk in chunks) + "\n]").encode()


@LAW
@given(body=GENERATED, rng=RNG)
def test_streamed_content_folds_into_the_whole_answer(body: dict[str, Any], rng: random.Random) -> None:
    protocol = protocol_of(gemini)
    stream = as_array(chunks(body, rng)) if rng.random() < 0.5 else as_event_stream(chunks(body, rng), named=False, rng=rng)
    assert asdict(answer(protocol, stream, None, rng)) == asdict(gemini.response(body))


@LAW
@given(body=INTERACTION, rng=RNG)
def test_a_streamed_interaction_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    protocol = protocol_of(gemini_interactions)
    stream = as_event_stream(events(body, rng), named=False, rng=rng)
    assert asdict(answer(protocol, stream, None, rng)) == asdict(gemini_interactions.response(body))


@LAW
@given(body=VECTORS, rng=RNG)
def test_vectors_in_an_array_are_the_whole_ones(body: dict[str, Any], rng: random.Random) -> None:
    stream = json.dumps([body]).encode()
    assert asdict(answer(protocol_of(gemini_embeddings), stream, None, rng)) == asdict(gemini_embeddings.response(body))


# --- nothing raises ---------------------------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["text", "error", "[DONE]", "thought", "function_call", "$.a[0].b", "data:;base64,x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
REQUEST = some(
    model=SOME_TEXT,
    contents=st.lists(some(role=st.sampled_from(["user", "model", "function"]), parts=st.lists(PART, max_size=2)), max_size=2),
    system_instruction=some(parts=st.lists(PART, max_size=1)) | TEXT,
    generationConfig=some(topK=st.floats(), stop_sequences=st.lists(TEXT), responseModalities=st.lists(TEXT)),
    tools=st.lists(some(functionDeclarations=st.lists(OBJECT, max_size=2), googleSearch=OBJECT, type=TEXT), max_size=2),
    requests=st.lists(some(content=some(parts=st.lists(PART, max_size=1)), outputDimensionality=COUNT), max_size=2),
    instances=st.lists(some(content=TEXT, image=OBJECT), max_size=2),
    input=TEXT | st.lists(STEP, max_size=2),
    response_format=OBJECT | st.lists(OBJECT, max_size=2),
)
PATHS = st.text() | st.sampled_from(["/v1beta/models/gemini-3:streamGenerateContent", "/models/%ff%:predict", "/models/:x"])


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@settings(LAW, max_examples=200)
@given(data=st.data(), rng=RNG)
def test_nothing_that_is_sent_or_received_raises(protocol: Protocol, data: st.DataObject, rng: random.Random) -> None:
    something = lambda: data.draw(ANYTHING)  # noqa: E731  (draws anew at each place)
    request = spoilt(data.draw(REQUEST | ANYTHING), rng, something)
    check(protocol.request(request, data.draw(PATHS)))
    assert protocol.matches(request) in (True, False)

    check(protocol.response(spoilt(data.draw(GENERATED | INTERACTION | VECTORS | ANYTHING), rng, something)))

    fold = protocol.fold()
    streamed = [*chunks(data.draw(GENERATED), rng), *events(data.draw(INTERACTION), rng), something()]
    for event in streamed:
        fold.feed(spoilt(event, rng, something))
    check(protocol.response(fold.body()))
    assert protocol.response(fold.body()) == protocol.response(fold.body())


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("body", [None, [], {}, "text", 7, {"candidates": [None]}, {"contents": None, "steps": None}])
def test_a_body_without_anything_has_no_facts(protocol: Protocol, body: Any) -> None:
    assert protocol.response(body) == ResponseFacts()
    assert protocol.request(body, "/") == RequestFacts(protocol.operation)
    assert not protocol.matches(body)
