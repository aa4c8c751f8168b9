"""OpenAI's text completions: what prompts and choices become, and the law of streaming."""

from __future__ import annotations

import random
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm.protocols.facts import ErrorFacts, RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.openai_completions import Fold, matches, request, response


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def chunk(piece: str, index: int = 0, finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"text": piece, "index": index, "logprobs": None, "finish_reason": finish_reason}
    return {"id": "cmpl-1", "object": "text_completion", "model": "ada", "choices": [choice]}


def folded(*events: Any) -> dict[str, Any]:
    fold = Fold()
    for event in events:
        fold.feed(event)
    return fold.body()


# --- request ----------------------------------------------------------------------------------------------------------


def test_a_request_asks_for_a_text_completion() -> None:
    body = {
        "model": "gpt-3.5-turbo-instruct",
        "prompt": "The tide is",
        "stream": True,
        "max_tokens": 16,
        "temperature": 0.7,
        "top_p": 1,
        "n": 2,
        "stop": "\n",
        "seed": 1,
        "frequency_penalty": 0,
        "presence_penalty": 1,
        "logprobs": None,
        "best_of": 2,
        "echo": False,
    }
    assert request(body, "/v1/completions") == RequestFacts(
        operation="text_completion",
        model="gpt-3.5-turbo-instruct",
        stream=True,
        attributes={
            "gen_ai.request.max_tokens": 16,
            "gen_ai.request.temperature": 0.7,
            "gen_ai.request.top_p": 1.0,
            "gen_ai.request.choice.count": 2,
            "gen_ai.request.stop_sequences": ("\n",),
            "gen_ai.request.seed": 1,
            "gen_ai.request.frequency_penalty": 0.0,
            "gen_ai.request.presence_penalty": 1.0,
        },
        messages=[user(text("The tide is"))],
    )


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ({"prompt": ""}, [user(text(""))]),
        ({"prompt": ["Ebb", "Flood"]}, [user(text("Ebb")), user(text("Flood"))]),
        ({"prompt": [464, 17983, 318]}, [user({"type": "tokens", "count": 3})]),
        ({"prompt": [[464], [17983, 318]]}, [user({"type": "tokens", "count": 1}), user({"type": "tokens", "count": 2})]),
        ({"prompt": [{"a": 1}]}, [user({"type": "unknown", "content": {"a": 1}})]),
        ({"prompt": "def tide(", "suffix": "return"}, [user(text("def tide("), {"type": "suffix", "content": "return"})]),
        ({"prompt": []}, []),
        ({"prompt": None}, []),
        ({}, []),
    ],
    ids=str,
)
def test_each_prompt_is_a_message(body: dict[str, Any], messages: list[Any]) -> None:
    assert request(body, "/v1/completions").messages == messages


def test_the_model_of_a_deployment_is_in_the_path() -> None:
    assert request({"prompt": "Ebb"}, "/openai/deployments/harbour/completions").model == "harbour"


@pytest.mark.parametrize(
    ("body", "matched"),
    [
        ({"model": "ada", "prompt": "Ebb"}, True),
        ({"model": "ada", "prompt": [464]}, True),
        ({"model": "ada", "prompt": ""}, False),
        ({"model": "ada", "prompt": {}}, False),
        ({"prompt": "Ebb"}, False),
        ({"model": "ada", "messages": []}, False),
    ],
    ids=str,
)
def test_a_body_is_recognised_by_its_shape(body: Any, matched: bool) -> None:
    assert matches(body) is matched


# --- response ---------------------------------------------------------------------------------------------------------


def test_each_choice_is_a_message() -> None:
    body = {
        "id": "cmpl-1",
        "model": "gpt-3.5-turbo-instruct:20230824-v2",
        "choices": [
            {"text": "rising", "index": 0, "finish_reason": "stop"},
            {"text": "falling", "index": 1, "finish_reason": "length"},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    assert response(body) == ResponseFacts(
        id="cmpl-1",
        model="gpt-3.5-turbo-instruct:20230824-v2",
        finish_reasons=("stop", "length"),
        usage=Usage(input_tokens=3, output_tokens=2),
        messages=[
            {"role": "assistant", "parts": [text("rising")], "finish_reason": "stop"},
            {"role": "assistant", "parts": [text("falling")], "finish_reason": "length"},
        ],
    )


def test_an_error_is_read() -> None:
    body = {"error": {"message": "No such model.", "type": "invalid_request_error", "code": "model_not_found"}}
    assert response(body) == ResponseFacts(error=ErrorFacts("model_not_found", "No such model."))


# --- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_without_usage_is_folded() -> None:
    events = (chunk("ris"), chunk("fall", 1), chunk("ing"), chunk("ing", 1, "stop"), chunk("", 0, "length"), "[DONE]")
    assert folded(*events) == {
        "id": "cmpl-1",
        "object": "text_completion",
        "model": "ada",
        "choices": [
            {"text": "rising", "index": 0, "finish_reason": "length"},
            {"text": "falling", "index": 1, "finish_reason": "stop"},
        ],
    }


def test_usage_may_come_in_a_chunk_of_its_own() -> None:
    last = {"id": "cmpl-1", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    assert response(folded(chunk("rising"), last)).usage == Usage(input_tokens=3, output_tokens=2)


def test_a_vendor_that_answers_with_messages_is_understood() -> None:
    """Mistral's fill-in-the-middle asks with a prompt and answers as chat does."""
    first = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "ris"}}]}
    second = {"choices": [{"index": 0, "delta": {"content": "ing"}, "finish_reason": "stop"}]}
    assert response(folded(first, second)).messages == [
        {"role": "assistant", "parts": [text("rising")], "finish_reason": "stop"}
    ]


@pytest.mark.parametrize(("events", "done"), [([], False), ([chunk("rising", 0, "stop")], False), (["[DONE]"], True)])
def test_done_ends_a_stream(events: list[Any], done: bool) -> None:
    fold = Fold()
    for event in events:
        fold.feed(event)
    assert fold.done is done


# --- the law ----------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
COMPLETION = st.fixed_dictionaries(
    {
        "id": TEXT,
        "model": TEXT,
        "choices": st.lists(
            st.fixed_dictionaries({"text": TEXT, "finish_reason": st.sampled_from(["stop", "length", "eos", None])}),
            min_size=1,
            max_size=3,
        ).map(lambda choices: [{"index": index, **choice} for index, choice in enumerate(choices)]),
    },
    optional={
        "usage": st.fixed_dictionaries({}, optional={"prompt_tokens": st.integers(0), "completion_tokens": st.integers(0)})
    },
)


def chunks(body: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    pieces = []
    for choice in body["choices"]:
        said = choice["text"]
        edges = sorted({0, len(said), *(rng.randint(0, len(said)) for _ in range(rng.randint(0, 3)))})
        texts = [said[start:end] for start, end in pairwise(edges)] or [""]
        pieces += [{**choice, "text": piece, "finish_reason": None} for piece in texts]
        pieces += [{**choice, "text": ""}]
    last = [{**body, "choices": []}] if "usage" in body else []
    top = {"id": body["id"], "model": body["model"]}
    return [*({**top, "choices": [piece]} for piece in pieces), *last]


@settings(deadline=None, derandomize=True)
@given(body=COMPLETION, rng=st.randoms(use_true_random=False))
def test_a_streamed_completion_folds_into_the_whole_one(body: dict[str, Any], rng: random.Random) -> None:
    assert asdict(response(folded(*chunks(body, rng)))) == asdict(response(body))
