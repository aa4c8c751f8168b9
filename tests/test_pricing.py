"""List prices of single calls."""

from __future__ import annotations

import json
import logging
import math
import re
import socket
import stat
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm import price_list, pricing, unpriced_notes
from otel_llm.pricing import Cost, TokenCounts, note_unpriced, noted_unpriced_models, price, unpriced_models

NOVEMBER_NS = 1_793_491_200_000_000_000  # 2026-11-01
PLAIN = TokenCounts(input_tokens=1000, output_tokens=100)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pricing, "_unpriced", set())
    monkeypatch.setattr(unpriced_notes, "_done", set())
    yield
    price_list._calculator.cache_clear()


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


def test_audio_has_prices_of_its_own() -> None:
    usage = TokenCounts(input_tokens=1000, output_tokens=100, input_audio=600, output_audio=80)
    cost = priced(model="gpt-audio", usage=usage)
    assert cost is not None
    assert cost.parts == {"input": 0.001, "input_audio": 0.0192, "output": 0.0002, "output_audio": 0.00512}
    assert cost.total == pytest.approx(sum(cost.parts.values()), abs=1e-12)


def test_cached_audio_has_a_price_of_its_own() -> None:
    usage = TokenCounts(input_tokens=1000, output_tokens=0, cache_read=500, input_audio=600, cache_read_audio=400)
    cost = priced("google", "gemini-2.5-flash", usage)
    assert cost is not None
    assert cost.parts == {"input": 0.00009, "input_audio": 0.0002, "cache_read": 0.000003, "cache_read_audio": 0.00004}


def test_of_a_cache_whose_modalities_are_not_told_text_comes_first() -> None:
    usage = TokenCounts(input_tokens=1000, output_tokens=0, cache_read=500, input_audio=600)
    cost = priced("google", "gemini-2.5-flash", usage)
    assert cost is not None
    assert set(cost.parts) == {"input_audio", "cache_read", "cache_read_audio"}
    assert cost.parts["input_audio"] == 0.0005


def test_reasoning_costs_what_output_costs_and_is_not_added_to_it() -> None:
    usage = TokenCounts(input_tokens=1000, output_tokens=100, reasoning=60)
    assert priced(usage=usage) == priced()


def test_more_reasoning_than_output_is_all_of_the_output() -> None:
    assert priced(usage=TokenCounts(input_tokens=1000, output_tokens=100, reasoning=110)) == priced()


def test_a_fee_for_the_request_is_in_the_total() -> None:
    cost = priced("perplexity", "sonar", TokenCounts(input_tokens=1000, output_tokens=100))
    assert cost is not None
    assert cost.parts["request"] > 0
    assert cost.total == pytest.approx(cost.input + cost.output + cost.parts["request"], abs=1e-12)


def test_a_model_that_is_billed_by_the_hour_has_no_price_by_tokens() -> None:
    assert priced(model="whisper-1") is None
    assert unpriced_models() == {("openai", "whisper-1")}


def test_a_long_prompt_costs_more_for_all_of_the_call() -> None:
    short, long = TokenCounts(200_000, 1000), TokenCounts(200_001, 1000)
    costs = [priced("google", "gemini-2.5-pro", usage) for usage in (short, long)]
    assert [cost and round(cost.total, 6) for cost in costs] == [0.26, 0.515003]


def test_anthropics_fast_mode_costs_more() -> None:
    plain, fast = (priced("anthropic", "claude-opus-4-8", service_tier=tier) for tier in ("standard", "fast"))
    assert plain is not None
    assert fast is not None
    assert fast.total > plain.total


def test_off_peak_hours_have_prices_of_their_own() -> None:
    usage, day = TokenCounts(1_000_000, 0), 1_745_798_400_000_000_000  # 2025-04-28
    at_noon, at_night = (priced("deepseek", "deepseek-chat", usage, at_ns=day + hour * 3600 * 10**9) for hour in (12, 18))
    assert at_noon is not None
    assert at_night is not None
    assert at_night.total < at_noon.total


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
    price_list._calculator.cache_clear()
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


COUNTS = st.none() | st.integers(-1, 1_000_000) | st.sampled_from([0, 1, 199_999, 200_000, 200_001, 10**9, 10**12])
SOME = st.none() | st.integers(0, 200_000)
#: Counts as they come, and such as fit together: modalities inside of the input, cached ones inside of these.
USAGES = (
    st.builds(TokenCounts, *[COUNTS] * 6)
    | st.builds(TokenCounts, st.integers(600_000, 900_000), COUNTS, *[SOME] * 4)
    | st.builds(
        TokenCounts,
        st.integers(600_000, 900_000),
        st.integers(400_000, 600_000),
        cache_read=st.integers(100_000, 200_000),
        reasoning=st.integers(0, 100_000),
        input_audio=st.integers(50_000, 100_000),
        input_image=st.integers(50_000, 100_000),
        output_audio=SOME,
        output_image=st.integers(0, 100_000),
        cache_read_audio=st.integers(0, 50_000),
        cache_read_image=st.integers(0, 50_000),
    )
)


@settings(max_examples=1500, deadline=None)
@given(
    asked=st.sampled_from(models()),
    usage=USAGES,
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
    if ours is not None:
        assert math.fsum(ours.parts.values()) == pytest.approx(ours.total, abs=1e-12, rel=1e-12)


#: What the package calls the counts of ``TokenCounts``.
KEYS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "reasoning": "output_reasoning_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "cache_read_audio": "cache_audio_read_tokens",
    "cache_read_image": "cache_image_read_tokens",
}
BY_TOKEN = re.compile("(input|output|cache).*_mtok")


def calculated(provider: str, model: str, usage: TokenCounts, at_ns: int, tier: str | None) -> Cost | None:
    """By the package; but for what it takes to be free: models that have no price of tokens at all, and contradictory counts."""
    if contradicts_itself(usage):
        return None
    try:
        found = calc_price(
            Usage(**{theirs: getattr(usage, ours) for ours, theirs in KEYS.items()}),
            model.removesuffix(":thinking") if provider == "openrouter" else model,
            provider_id=provider,
            genai_request_timestamp=datetime.fromtimestamp(at_ns // 10**9, UTC),
            price_context=None if tier is None else {"processing": "batch"} if tier == "batch" else {"service_tier": tier},
        )
    except (LookupError, ValueError):
        return None
    priced_by = {name for name, value in vars(found.model_price).items() if value is not None}
    if not any(BY_TOKEN.fullmatch(name) for name in priced_by):
        return None
    return Cost(float(found.total_price), float(found.input_price), float(found.output_price))


def contradicts_itself(usage: TokenCounts) -> bool:
    """Which the package overlooks where it has no price for one of the counts."""
    given_counts = [getattr(usage, name) for name in KEYS]
    parts = (usage.cache_read or 0) + (usage.cache_write or 0)
    lifetimes = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    return (
        all(count is None for count in given_counts[:2])
        or any(count is not None and count < 0 for count in (*given_counts, usage.cache_write_5m))
        or parts > (usage.input_tokens or 0)
        or lifetimes > (usage.cache_write or 0)
        or (usage.output_audio or 0) + (usage.output_image or 0) > (usage.output_tokens or 0)
    )


# --- the note for other processes -------------------------------------------------------------------------------------


def test_a_model_without_a_price_is_noted_for_other_processes(state: Path) -> None:
    note_unpriced("openai", "no-such-model")
    (noted,) = noted_unpriced_models()
    assert (noted.provider, noted.model) == ("openai", "no-such-model")
    assert datetime.now(UTC) - noted.last_seen < timedelta(minutes=1)
    assert stat.S_IMODE((state / "unpriced.json").stat().st_mode) == 0o600
    assert [path.name for path in state.iterdir()] == ["unpriced.json"]


def test_a_model_is_written_once_by_a_process(state: Path) -> None:
    note_unpriced("openai", "no-such-model")
    (state / "unpriced.json").unlink()
    note_unpriced("openai", "no-such-model")
    assert noted_unpriced_models() == []


def test_the_latest_comes_first_and_what_others_noted_stays(state: Path) -> None:
    earlier = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    noted = [{"provider": "x", "model": name, "last_seen": earlier} for name in ("a", "b")]
    (state / "unpriced.json").write_text(json.dumps({"models": noted}))
    note_unpriced("x", "b")
    assert [each.model for each in noted_unpriced_models()] == ["b", "a"]


def test_a_model_that_has_a_price_by_now_and_one_long_not_seen_are_left_out(state: Path) -> None:
    today, long_ago = datetime.now(UTC).isoformat(), (datetime.now(UTC) - timedelta(days=31)).isoformat()
    noted = [
        {"provider": "openai", "model": "gpt-4o", "last_seen": today},
        {"provider": "x", "model": "y", "last_seen": long_ago},
    ]
    (state / "unpriced.json").write_text(json.dumps({"models": noted}))
    assert noted_unpriced_models() == []


def test_the_note_is_bounded(state: Path) -> None:
    today = datetime.now(UTC).isoformat()
    noted = [{"provider": "x", "model": f"m{number}", "last_seen": today} for number in range(300)]
    (state / "unpriced.json").write_text(json.dumps({"models": noted}))
    note_unpriced("x", "y" * 1000)
    found = json.loads((state / "unpriced.json").read_text())["models"]
    assert (len(found), len(found[0]["model"])) == (200, 200)


@pytest.mark.parametrize("content", ["", "[]", '{"models": 1}', '{"models": [{"provider": 1}, 2, {"last_seen": "x"}]}'])
def test_a_note_that_is_none_is_replaced(state: Path, content: str) -> None:
    (state / "unpriced.json").write_text(content)
    assert noted_unpriced_models() == []
    note_unpriced("x", "y")
    assert [each.model for each in noted_unpriced_models()] == ["y"]


def test_nothing_is_written_where_nothing_is_to_be_kept(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", "none")
    note_unpriced("x", "y")
    assert list(state.iterdir()) == []
    assert noted_unpriced_models() == []


def test_a_directory_that_cannot_be_written_is_worth_a_debug_line(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (state / "file").touch()
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(state / "file" / "directory"))
    with caplog.at_level(logging.DEBUG):
        note_unpriced("x", "y")
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(directory))
    return directory
