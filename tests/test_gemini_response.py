"""What Google's generated content tells: finish reasons, usage, errors, and streams with their oddities.

The law of streaming is in ``test_gemini_law.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm.protocols.facts import ErrorFacts, Usage
from otel_llm.protocols.gemini import Fold, response


def folded(*chunks: Any) -> dict[str, Any]:
    fold = Fold()
    for chunk in chunks:
        fold.feed(chunk)
    return fold.body()


def chunk(*parts: Any, **beside: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **beside}]}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("UNEXPECTED_TOOL_CALL", "UNEXPECTED_TOOL_CALL"),
        (1, "stop"),
        (2, "length"),
        (3, "content_filter"),
        (5, "OTHER"),
        (9, "MALFORMED_FUNCTION_CALL"),
        (10, "content_filter"),
        (15, "UNEXPECTED_TOOL_CALL"),
        (99, "99"),
        (0, None),
        (-1, "-1"),
        (None, None),
        (True, None),
    ],
)
def test_a_finish_reason_is_a_word_of_the_conventions(sent: Any, reason: str | None) -> None:
    facts = response({"candidates": [{"content": {}, "finishReason": sent}]})
    assert facts.finish_reasons == ((reason,) if reason else ())
    assert facts.messages == [{"role": "assistant", "parts": []} | ({"finish_reason": reason} if reason else {})]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"promptTokenCount": 9, "candidatesTokenCount": 21, "totalTokenCount": 30}, Usage(9, 21)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 4}, Usage(9, 25, reasoning=4)),
        ({"promptTokenCount": 9, "thoughtsTokenCount": 4}, Usage(9, 4, reasoning=4)),
        ({"promptTokenCount": 75, "toolUsePromptTokenCount": 573}, Usage(648)),
        ({"promptTokenCount": 9, "cachedContentTokenCount": 8}, Usage(9, None, 8)),
        ({"candidatesTokenCount": 0}, Usage(None, 0)),
        ({"trafficType": "ON_DEMAND"}, Usage()),
    ],
    ids=str,
)
def test_usage_is_counted_as_the_conventions_count(usage: dict[str, Any], counted: Usage) -> None:
    assert response({"usageMetadata": usage}).usage == counted


def test_candidates_are_in_the_order_of_their_indexes() -> None:
    candidates = [{"index": 1, "finishReason": "MAX_TOKENS"}, {"finishReason": "STOP"}]
    assert response({"candidates": candidates}).finish_reasons == ("stop", "length")


def test_a_blocked_prompt_is_filtered_and_no_error() -> None:
    facts = response({"promptFeedback": {"blockReason": "MODEL_ARMOR"}, "usageMetadata": {"promptTokenCount": 5}})
    assert facts.messages == [{"role": "assistant", "parts": [], "finish_reason": "content_filter"}]
    assert (facts.finish_reasons, facts.usage, facts.error) == (("content_filter",), Usage(5), None)


@pytest.mark.parametrize("body", [{"usageMetadata": {"serviceTier": "flex"}}, {"serviceTier": "flex"}])
def test_the_service_tier_is_an_attribute(body: dict[str, Any]) -> None:
    assert response(body).attributes == {"otel_llm.response.service_tier": "flex"}


def test_an_error_has_the_status_as_its_type() -> None:
    body = {"error": {"code": 429, "message": "Too many ships.", "status": "RESOURCE_EXHAUSTED"}}
    assert response(body).error == ErrorFacts("RESOURCE_EXHAUSTED", "Too many ships.")
    assert response(folded(chunk({"text": "By"}), body)).error == ErrorFacts("RESOURCE_EXHAUSTED", "Too many ships.")


# --- streams ----------------------------------------------------------------------------------------------------------


def test_neighbouring_texts_of_a_kind_are_one_part() -> None:
    stream = folded(
        chunk({"text": "Old", "thought": True}),
        chunk({"text": "est?", "thought": True}, {"text": "By"}),
        chunk({"text": "", "thoughtSignature": "c2ln"}),
        chunk({"text": "blos"}),
        chunk({"functionCall": {"name": "tide"}}, {"text": "."}, finishReason="STOP"),
    )
    assert response(stream).messages == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "Oldest?"},
                {"type": "text", "content": "Byblos"},
                {"type": "tool_call", "id": None, "name": "tide", "arguments": {}},
                {"type": "text", "content": "."},
            ],
            "finish_reason": "stop",
        }
    ]


def test_the_last_usage_with_counts_is_the_whole_usage() -> None:
    first = {"promptTokenCount": 9, "candidatesTokenCount": 21, "totalTokenCount": 65}
    last = {"promptTokenCount": 87, "totalTokenCount": 165, "thoughtsTokenCount": 78}
    stream = folded(*({"usageMetadata": usage} for usage in ({"trafficType": "ON_DEMAND"}, first, last, {"trafficType": "X"})))
    assert stream == {"usageMetadata": last}


def test_the_first_id_and_model_count_that_are_not_empty() -> None:
    stream = folded({"responseId": "", "modelVersion": None}, {"responseId": "r1", "modelVersion": "m1"}, {"responseId": "r2"})
    assert stream == {"responseId": "r1", "modelVersion": "m1"}


def test_arguments_that_are_streamed_by_their_paths_are_one_call() -> None:
    def piece(path: Any, **value: Any) -> dict[str, Any]:
        return {"functionCall": {"partialArgs": [{"jsonPath": path, **value}], "willContinue": True}}

    stream = folded(
        chunk({"functionCall": {"id": "c1", "name": "moor", "args": {"fee": 0}, "willContinue": True}}),
        chunk(piece("$.port", stringValue="Do", willContinue=True), piece("$.port", stringValue="ver")),
        chunk(piece("$.ships[0]['draft in m']", numberValue=3.5), piece("$.ships[1].name", stringValue="Argo")),
        chunk(piece("$.ships[0].full", boolValue=False), piece("$.ships[9]", numberValue=1), piece("$.fee", nullValue=0)),
        chunk(piece("$.port.x", numberValue=1), piece(7, numberValue=1), piece("", numberValue=2)),
        chunk({"functionCall": {}}),
        chunk({"functionCall": {"name": "now"}}),
    )
    arguments = {
        "fee": None,
        "port": "Dover",
        "ships": [{"draft in m": 3.5, "full": False}, {"name": "Argo"}],
        "$.ships[9]": 1,
        "$.port.x": 1,
        "": 2,
    }
    assert response(stream).messages[0]["parts"] == [
        {"type": "tool_call", "id": "c1", "name": "moor", "arguments": arguments},
        {"type": "tool_call", "id": None, "name": "now", "arguments": {}},
    ]


@pytest.mark.parametrize(("event", "done"), [(chunk(finishReason="STOP"), False), ("[DONE]", True), (None, False)], ids=str)
def test_a_stream_of_googles_has_no_last_event(event: Any, done: bool) -> None:
    fold = Fold()
    fold.feed(event)
    assert fold.done is done
