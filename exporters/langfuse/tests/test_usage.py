"""Token counts become buckets that exclude one another."""

from __future__ import annotations

from typing import Any

import pytest

from otel_llm_langfuse.usage import read_usage, usage_details

IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
READ, WRITE = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens"
WRITE_5M, WRITE_1H = "otel_llm.cache_write_5m.input_tokens", "otel_llm.cache_write_1h.input_tokens"


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
        pytest.param({IN: -1, OUT: True}, {"input": 0, "output": 0, "total": 0}, id="no counts at all"),
        pytest.param({IN: 1.5, OUT: float("nan")}, {"input": 0, "output": 0, "total": 0}, id="no whole numbers"),
        pytest.param({IN: 2**63, OUT: "many"}, {"input": 0, "output": 0, "total": 0}, id="more than OTLP can tell"),
    ],
)
def test_buckets(given: dict[str, Any], expected: dict[str, int]) -> None:
    assert usage_details(read_usage(given)) == expected
