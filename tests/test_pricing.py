"""List prices of single calls."""

from __future__ import annotations

import logging
import socket
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm import pricing
from otel_llm.pricing import Cost, TokenCounts, price, unpriced_models

NOVEMBER_NS = 1_793_491_200_000_000_000  # 2026-11-01
PLAIN = TokenCounts(input_tokens=1000, output_tokens=100)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pricing, "_unpriced", set())
    yield
    pricing._calculator.cache_clear()


def priced(provider: str = "openai", model: str = "gpt-4o", usage: TokenCounts = PLAIN, **more: Any) -> Cost | None:
    return price(provider=provider, model=model, usage=usage, **{"at_ns": NOVEMBER_NS} | more)


def test_a_plain_call() -> None:
    assert priced() == Cost(total=0.0035, input=0.0025, output=0.001, source="genai-prices")


def test_cache_reads_and_writes_have_prices_of_their_own() -> None:
    usage = TokenCounts(
        input_tokens=1000, output_tokens=100, cache_read=600, cache_write=100, cache_write_5m=80, cache_write_1h=20
    )
    assert priced("anthropic", "claude-sonnet-4-5-20250929", usage) == Cost(total=0.003, input=0.0015, output=0.0015)


def test_embeddings_have_no_output() -> None:
    usage = TokenCounts(input_tokens=800)
    assert priced(model="text-embedding-3-small", usage=usage) == Cost(total=0.000016, input=0.000016, output=0.0)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("x_ai", "grok-4"),
        ("mistral_ai", "mistral-large-latest"),
        ("moonshot_ai", "kimi-k2"),
        ("gcp.gen_ai", "gemini-2.5-pro"),
        ("gcp.gemini", "models/gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.5-pro"),
        ("azure.ai.openai", "gpt-4o"),
        ("deepseek", "deepseek-chat"),
        ("groq", "llama-3.3-70b-versatile"),
        ("openrouter", "anthropic/claude-sonnet-4.5"),
        ("openrouter", "anthropic/claude-sonnet-4.5:thinking"),
    ],
)
def test_providers_and_models_in_the_words_of_the_conventions_have_a_price(provider: str, model: str) -> None:
    found = priced(provider, model)
    assert found is not None
    assert found.total > 0


def test_the_price_is_that_of_the_time_of_the_call() -> None:
    usage = TokenCounts(input_tokens=1_000_000, output_tokens=1_000_000)
    then, now = priced(model="o3", usage=usage, at_ns=1_735_689_600_000_000_000), priced(model="o3", usage=usage)
    assert then is not None
    assert now is not None
    assert (then.total, now.total) == (50.0, 10.0)


@pytest.mark.parametrize(("tier", "total"), [(None, 0.00625), ("default", 0.00625), ("priority", 0.0125), ("batch", 0.003125)])
def test_the_price_depends_on_the_service_tier(tier: str | None, total: float) -> None:
    found = priced(model="gpt-5", usage=TokenCounts(input_tokens=1000, output_tokens=500), service_tier=tier)
    assert found is not None
    assert found.total == total


@pytest.mark.parametrize(
    ("provider", "model"), [("openai", "no-such-model"), ("ollama", "llama3"), ("openrouter", "openai/gpt-4o:online")]
)
def test_what_has_no_price_costs_nothing_known_and_is_remembered(provider: str, model: str) -> None:
    assert priced(provider, model) is None
    assert unpriced_models() == {(provider, model)}


def test_only_so_many_models_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "_MOST_REMEMBERED", 2)
    for number in range(5):
        priced(model=f"made-up-{number}")
    assert len(unpriced_models()) == 2


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param(TokenCounts(), id="nothing known"),
        pytest.param(TokenCounts(input_tokens=10, cache_read=20), id="more cache than input"),
        pytest.param(TokenCounts(input_tokens=-1), id="negative"),
        pytest.param(TokenCounts(input_tokens=10**400), id="beyond all bounds"),
    ],
)
def test_counts_that_make_no_sense_have_no_price(usage: TokenCounts) -> None:
    assert priced(usage=usage) is None
    assert unpriced_models() == frozenset()


def test_a_time_out_of_reach_has_no_price() -> None:
    assert priced(at_ns=10**30) is None


def test_without_the_price_list_nothing_has_a_price_and_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pricing._calculator.cache_clear()
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with caplog.at_level(logging.WARNING):
        assert (priced(), priced()) == (None, None)
    assert [record.getMessage() for record in caplog.records] == [
        "Calls are not priced: install the price list with `pip install otel-llm[prices]`"
    ]


def test_prices_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a look-up or connection was made")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert priced() is not None


def models() -> list[tuple[str, str]]:
    """The models of the price list, by an id that it finds them under."""
    from genai_prices.data import providers

    return [(provider.id, model.id) for provider in providers for model in provider.models]


COUNTS = st.none() | st.integers(-1, 1_000_000) | st.sampled_from([0, 1, 199_999, 200_000, 200_001, 10**9, 10**13])


@settings(max_examples=1500, deadline=None)
@given(
    asked=st.sampled_from(models()),
    usage=st.builds(TokenCounts, *[COUNTS] * 6)
    | st.builds(TokenCounts, st.integers(600_000, 900_000), COUNTS, *[st.none() | st.integers(0, 200_000)] * 4),
    at_ns=st.integers(1_700_000_000, 1_800_000_000).map(lambda seconds: seconds * 10**9),
    tier=st.sampled_from([None, "default", "flex", "priority", "batch"]),
)
def test_each_price_is_the_one_that_the_package_calculates(
    asked: tuple[str, str], usage: TokenCounts, at_ns: int, tier: str | None
) -> None:
    provider, model = asked
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = price(provider=provider, model=model, usage=usage, at_ns=at_ns, service_tier=tier)
        assert ours == calculated(provider, model, usage, at_ns, tier)


def calculated(provider: str, model: str, usage: TokenCounts, at_ns: int, tier: str | None) -> Cost | None:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    try:
        found = pricing._calculate(provider, model, tier, at_ns, usage)
    except (LookupError, ValueError):
        return None
    return Cost(float(found.total_price), float(found.input_price), float(found.output_price))
