"""Ollama's completion of a prompt: what each field of a request or an answer becomes."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import RequestFacts, ResponseFacts, Usage
from otel_llm.protocols.ollama_generate import Fold, matches, request, response


def test_a_request() -> None:
    body = {
        "model": "llava",
        "prompt": "What is this?",
        "suffix": "The end.",
        "system": "Be brief.",
        "images": ["iVBORw0="],
        "context": [1, 2],
        "options": {"seed": 7},
        "format": "json",
        "think": "low",
    }
    assert request(body, "/api/generate") == RequestFacts(
        operation="text_completion",
        model="llava",
        stream=True,
        attributes={"gen_ai.request.seed": 7, "gen_ai.output.type": "json", "gen_ai.request.reasoning.level": "low"},
        system=[{"type": "text", "content": "Be brief."}],
        messages=[
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "suffix", "content": "The end."},
                    {"type": "blob", "modality": "image", "content": "iVBORw0="},
                ],
            }
        ],
    )


def test_empty_strings_are_what_the_client_sends_for_absent() -> None:
    body = {
        "model": "m",
        "prompt": "",
        "system": "",
        "template": "",
        "images": [],
        "format": "",
        "stream": False,
        "options": {},
    }
    assert request(body, "/api/generate") == RequestFacts(operation="text_completion", model="m")


def test_an_answer() -> None:
    body = {"model": "m", "response": "Three.", "thinking": "1 + 2", "done": True, "done_reason": "length"}
    counts = {"context": [1, 2], "prompt_eval_count": 17, "eval_count": 71}
    assert response({**body, **counts}) == ResponseFacts(
        model="m",
        finish_reasons=("length",),
        usage=Usage(input_tokens=17, output_tokens=71),
        messages=[
            {
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "1 + 2"}, {"type": "text", "content": "Three."}],
                "finish_reason": "length",
            }
        ],
    )


def test_an_answer_may_be_an_image() -> None:
    fold = Fold()
    fold.feed({"model": "flux", "completed": 1, "total": 2, "done": False})
    fold.feed({"model": "flux", "image": "iVBORw0=", "done": True, "done_reason": "stop"})
    assert response(fold.body()) == ResponseFacts(
        model="flux",
        finish_reasons=("stop",),
        messages=[
            {
                "role": "assistant",
                "parts": [{"type": "blob", "modality": "image", "content": "iVBORw0="}],
                "finish_reason": "stop",
            }
        ],
    )


def test_lines_are_joined() -> None:
    fold = Fold()
    fold.feed({"model": "m", "response": "", "thinking": "H", "done": False})
    fold.feed({"model": "m", "response": "Th", "done": False})
    fold.feed({"model": "m", "response": "ree.", "done": False})
    assert not fold.done
    fold.feed({"model": "m", "response": "", "done": True, "done_reason": "stop", "eval_count": 3})
    assert fold.done
    assert fold.body() == {
        "model": "m",
        "response": "Three.",
        "thinking": "H",
        "done": True,
        "done_reason": "stop",
        "eval_count": 3,
    }


def test_an_error_has_no_message() -> None:
    facts = response({"error": "model 'x' not found"})
    assert (facts.messages, facts.error and facts.error.message) == ([], "model 'x' not found")


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        ({"model": "m", "prompt": "Hello"}, True),
        ({"model": "m"}, True),
        ({"model": "m", "prompt": ["Hello"]}, False),
        ({"prompt": "Hello"}, False),
    ],
    ids=str,
)
def test_a_request_is_known_by_its_shape(body: Any, is_one: bool) -> None:
    assert matches(body) is is_one
