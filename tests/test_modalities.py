"""Token counts by modality: told as far as the provider tells them, beside the totals and never added to them."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.attributes import call_attributes
from otel_llm.protocols import PROTOCOLS, RequestFacts

OPENAI_CHAT = {
    "usage": {
        "prompt_tokens": 120,
        "completion_tokens": 50,
        "prompt_tokens_details": {"text_tokens": 20, "audio_tokens": 100, "cached_tokens": 0},
        "completion_tokens_details": {"audio_tokens": 40, "reasoning_tokens": 0},
    }
}
OPENAI_RESPONSES = {
    "status": "completed",
    "usage": {
        "input_tokens": 120,
        "output_tokens": 50,
        "input_tokens_details": {"text_tokens": 20, "image_tokens": 100},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
GEMINI = {
    "usageMetadata": {
        "promptTokenCount": 120,
        "candidatesTokenCount": 50,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 20},
            {"modality": "AUDIO", "tokenCount": 100},
            {"modality": "VIDEO", "tokenCount": 7},
            {"modality": 3, "tokenCount": "x"},
        ],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 50}],
    }
}


@pytest.mark.parametrize(
    ("protocol", "body", "expected"),
    [
        (
            "openai_chat",
            OPENAI_CHAT,
            {
                "gen_ai.usage.text.input_tokens": 20,
                "gen_ai.usage.audio.input_tokens": 100,
                "gen_ai.usage.audio.output_tokens": 40,
            },
        ),
        ("openai_responses", OPENAI_RESPONSES, {"gen_ai.usage.text.input_tokens": 20, "gen_ai.usage.image.input_tokens": 100}),
        (
            "gemini",
            GEMINI,
            {
                "gen_ai.usage.text.input_tokens": 20,
                "gen_ai.usage.audio.input_tokens": 100,
                "gen_ai.usage.text.output_tokens": 50,
            },
        ),
    ],
)
def test_modalities_are_told_beside_the_totals(protocol: str, body: dict[str, Any], expected: dict[str, int]) -> None:
    usage = PROTOCOLS[protocol].response(body).usage
    assert (usage.input_tokens, usage.output_tokens) == (120, 50)
    assert usage.modalities == expected
    told = call_attributes(RequestFacts("chat"), PROTOCOLS[protocol].response(body))
    assert expected.items() <= told.items()


def test_a_count_of_zero_is_not_told() -> None:
    body = {"usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"audio_tokens": 0}}}
    assert PROTOCOLS["openai_chat"].response(body).usage.modalities == {}
