"""What a call cost, as Langfuse stores it: as the provider said, else by price, bucket by bucket."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_llm.price_table import read_price_table, use_price_table
from otel_llm.pricing import noted_unpriced_models

Store = Callable[..., list[dict[str, Any]]]
MakeSpan = Callable[..., Any]

NOVEMBER_NS = 1_793_491_200_000_000_000  # 2026-11-01

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
CLAUDE = CALL | {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5"}


@pytest.fixture(autouse=True)
def _no_table_left() -> Iterator[None]:
    yield
    use_price_table(None)


@pytest.fixture
def told(stored: Store, make_span: MakeSpan) -> Callable[[dict[str, Any]], tuple[dict[str, int], dict[str, float], str | None]]:
    """Stored usage and cost of a call, and where its cost is said to be from."""

    def tell(attributes: dict[str, Any]) -> tuple[dict[str, int], dict[str, float], str | None]:
        (row,) = stored(make_span(attributes, start_ns=NOVEMBER_NS))
        return row["usage_details"], row.get("cost_details", {}), row["metadata"].get("cost_source")

    return tell


def test_each_bucket_of_the_usage_has_its_cost(told: Any) -> None:
    usage, cost, source = told(
        CLAUDE
        | {
            "gen_ai.usage.cache_read.input_tokens": 600,
            "gen_ai.usage.cache_write.input_tokens": 100,
            "otel_llm.cache_write_5m.input_tokens": 80,
            "otel_llm.cache_write_1h.input_tokens": 20,
        }
    )
    assert usage == {
        "input": 300,
        "output": 100,
        "input_cached_tokens": 600,
        "input_cache_creation_5m": 80,
        "input_cache_creation_1h": 20,
        "total": 1100,
    }
    assert cost == {
        "input": 0.0009,
        "output": 0.0015,
        "input_cached_tokens": 0.00018,
        "input_cache_creation_5m": 0.0003,
        "input_cache_creation_1h": 0.00012,
        "total": 0.003,
    }
    assert source == "genai-prices"
    assert math.fsum(cost.values()) - cost["total"] == pytest.approx(cost["total"], abs=1e-12)


def test_audio_is_priced_as_audio(told: Any) -> None:
    audio = {"gen_ai.usage.audio.input_tokens": 600, "gen_ai.usage.audio.output_tokens": 80}
    usage, cost, _ = told(CALL | {"gen_ai.request.model": "gpt-audio"} | audio)
    assert usage == {"input": 400, "output": 20, "input_audio_tokens": 600, "output_audio_tokens": 80, "total": 1100}
    assert cost.keys() == usage.keys()
    assert cost["input_audio_tokens"] / 600 > cost["input"] / 400


def test_without_a_price_modalities_are_no_buckets_which_would_cost_nothing(told: Any) -> None:
    usage, cost, _ = told(CALL | {"gen_ai.request.model": "no-such", "gen_ai.usage.audio.input_tokens": 600})
    assert (usage, cost) == ({"input": 1000, "output": 100, "total": 1100}, {})


@pytest.mark.parametrize(("tier", "total"), [("default", 0.00225), ("flex", 0.001125), ("priority", 0.0045)])
def test_the_tier_that_served_sets_the_price(told: Any, tier: str, total: float) -> None:
    _, cost, _ = told(CALL | {"openai.request.service_tier": "auto", "openai.response.service_tier": tier})
    assert cost["total"] == total


def test_what_the_provider_reports_wins_over_every_price(told: Any) -> None:
    use_price_table(read_price_table([{"model": "gpt-5", "input": 1, "output": 1}]))
    _, cost, source = told(CALL | {"gen_ai.usage.cost": 0.5})
    assert (cost, source) == ({"total": 0.5}, "provider")


def test_a_reported_cost_of_nothing_is_one(told: Any) -> None:
    _, cost, source = told(CALL | {"gen_ai.usage.cost": 0.0})
    assert (cost, source) == ({"total": 0.0}, "provider")


def test_the_users_prices_win_over_the_list(told: Any) -> None:
    use_price_table(read_price_table([{"model": "gpt-5", "input": 1, "output": 10, "request": 0.01}]))
    _, cost, source = told(CALL)
    assert (cost, source) == ({"input": 0.001, "output": 0.001, "request": 0.01, "total": 0.012}, "price table")


def test_a_row_that_says_so_wins_even_over_what_the_provider_reports(told: Any) -> None:
    use_price_table(read_price_table([{"model": "gpt-5", "input": 1, "output": 10, "override_provider": True}]))
    _, cost, source = told(CALL | {"gen_ai.usage.cost": 0.5})
    assert (cost["total"], source) == (0.002, "price table")


def test_a_row_for_the_model_asked_for_prices_its_dated_name(told: Any) -> None:
    use_price_table(read_price_table([{"model": "gpt-5", "input": 1, "output": 10}]))
    _, cost, source = told(CALL | {"gen_ai.response.model": "gpt-5-2025-08-07"})
    assert (cost["total"], source) == (0.002, "price table")


def test_a_model_without_a_price_is_noted_by_name_alone(told: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(tmp_path))
    content = {"gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "secret"}]}])}
    model = f"no-such-{tmp_path.name}"
    told(CALL | content | {"gen_ai.request.model": model})
    assert [(noted.provider, noted.model) for noted in noted_unpriced_models()] == [("openai", model)]
    assert "secret" not in (tmp_path / "unpriced.json").read_text()
