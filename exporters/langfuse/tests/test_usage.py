"""Token counts become buckets that exclude one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_llm.dialects import conventional
from otel_llm_langfuse.usage import read_usage, usage_details

IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"
WRITE_5M, WRITE_1H = "otel_llm.cache_write_5m.input_tokens", "otel_llm.cache_write_1h.input_tokens"

AUDIO_IN, AUDIO_OUT = "gen_ai.usage.audio.input_tokens", "gen_ai.usage.audio.output_tokens"
IMAGE_IN, AUDIO_READ = "gen_ai.usage.image.input_tokens", "gen_ai.usage.audio.cache_read.input_tokens"

#: A call with everything: text, audio and images in, partly cached; text and audio out, with reasoning.
EVERYTHING = {
    IN: 1000,
    OUT: 100,
    READ: 300,
    WRITE: 100,
    WRITE_1H: 40,
    AUDIO_IN: 250,
    AUDIO_READ: 50,
    IMAGE_IN: 120,
    AUDIO_OUT: 30,
    "gen_ai.usage.text.input_tokens": 630,
    "gen_ai.usage.text.output_tokens": 70,
    "gen_ai.usage.reasoning.output_tokens": 20,
}


def in_the_conventions(given: dict[str, Any]) -> Mapping[str, Any]:
    """What some other library told, as it reaches the mapping."""
    return conventional(ReadableSpan(name="chat", attributes=given, instrumentation_scope=InstrumentationScope("other")))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({IN: 10, OUT: 5}, {"input": 10, "output": 5, "total": 15}, id="plain"),
        pytest.param({IN: 8}, {"input": 8, "output": 0, "total": 8}, id="input only"),
        pytest.param({}, {"input": 0, "output": 0, "total": 0}, id="nothing known"),
        pytest.param(
            {IN: 1000, OUT: 100, READ: 600},
            {"input": 400, "output": 100, "input_cached_tokens": 600, "total": 1100},
            id="cache read",
        ),
        pytest.param(
            {IN: 1000, OUT: 100, READ: 600, WRITE: 100},
            {"input": 300, "output": 100, "input_cached_tokens": 600, "input_cache_creation": 100, "total": 1100},
            id="cache read and write",
        ),
        pytest.param(
            {IN: 1000, OUT: 100, READ: 600, WRITE: 100, WRITE_5M: 80, WRITE_1H: 20},
            {
                "input": 300,
                "output": 100,
                "input_cached_tokens": 600,
                "input_cache_creation_5m": 80,
                "input_cache_creation_1h": 20,
                "total": 1100,
            },
            id="cache writes by lifetime",
        ),
        pytest.param(
            {IN: 1000, OUT: 100, WRITE: 100, WRITE_5M: 180, WRITE_1H: 20},
            {"input": 900, "output": 100, "input_cache_creation": 100, "total": 1100},
            id="lifetimes that exceed the whole do not count",
        ),
        pytest.param(
            {IN: 300, OUT: 100, READ: 600, WRITE: 100},
            {"input": 300, "output": 100, "input_cached_tokens": 600, "input_cache_creation": 100, "total": 1100},
            id="input that leaves the cache out, as Anthropic counts",
        ),
        pytest.param(
            {IN: 10, OUT: 50, "gen_ai.usage.reasoning.output_tokens": 40},
            {"input": 10, "output": 50, "total": 60},
            id="reasoning stays in the output",
        ),
        pytest.param(
            {IN: 10, OUT: 5, "gen_ai.usage.cache_creation.input_tokens": 4},
            {"input": 6, "output": 5, "input_cache_creation": 4, "total": 15},
            id="old spelling of cache writes",
        ),
        pytest.param(
            {"gen_ai.usage.prompt_tokens": "10", "gen_ai.usage.completion_tokens": 5.0},
            {"input": 10, "output": 5, "total": 15},
            id="old names and types",
        ),
        pytest.param(
            {"llm.token_count.prompt": 10, "llm.token_count.completion": 5, "llm.token_count.prompt_details.cache_read": 4},
            {"input": 6, "output": 5, "input_cached_tokens": 4, "total": 15},
            id="OpenInference",
        ),
        pytest.param(
            EVERYTHING,
            {
                "input": 280,
                "output": 70,
                "input_cached_tokens": 300,
                "input_cache_creation": 60,
                "input_cache_creation_1h": 40,
                "input_audio_tokens": 200,
                "input_image_tokens": 120,
                "output_audio_tokens": 30,
                "total": 1100,
            },
            id="audio and images",
        ),
        pytest.param(
            {IN: 100, OUT: 10, AUDIO_IN: 101, AUDIO_OUT: 11},
            {"input": 100, "output": 10, "total": 110},
            id="modalities that exceed the whole do not count",
        ),
        pytest.param(
            {IN: 100, OUT: 10, AUDIO_IN: 60, READ: 80},
            {"input": 0, "output": 10, "input_cached_tokens": 80, "input_audio_tokens": 20, "total": 110},
            id="of a cache whose modalities are not told text comes first",
        ),
        pytest.param({READ: 60, OUT: 10}, {"input": 0, "output": 10, "input_cached_tokens": 60, "total": 70}, id="cache only"),
        pytest.param({IN: -1, OUT: True}, {"input": 0, "output": 0, "total": 0}, id="no counts at all"),
        pytest.param({IN: 1.5, OUT: float("nan")}, {"input": 0, "output": 0, "total": 0}, id="no whole numbers"),
        pytest.param({IN: 2**63, OUT: "many"}, {"input": 0, "output": 0, "total": 0}, id="more than OTLP can tell"),
    ],
)
def test_buckets(given: dict[str, Any], expected: dict[str, int]) -> None:
    assert usage_details(read_usage(in_the_conventions(given))) == expected


def test_without_prices_of_their_own_modalities_stay_in_input_and_output() -> None:
    assert usage_details(read_usage(EVERYTHING), by_modality=False) == {
        "input": 600,
        "output": 100,
        "input_cached_tokens": 300,
        "input_cache_creation": 60,
        "input_cache_creation_1h": 40,
        "total": 1100,
    }


COUNTS = st.none() | st.integers(-1, 200) | st.sampled_from([2**63, "7", 1.5, True])


@any_of(st.fixed_dictionaries({}, optional=dict.fromkeys(EVERYTHING, COUNTS)), st.booleans())
def test_buckets_are_never_negative_and_add_up(given: dict[str, Any], by_modality: bool) -> None:
    usage = read_usage(given)
    buckets = usage_details(usage, by_modality=by_modality)
    total = buckets.pop("total")
    assert min(buckets.values()) >= 0
    assert total == sum(buckets.values())
    if usage.input_tokens is not None:
        assert total == usage.input_tokens + (usage.output_tokens or 0)
