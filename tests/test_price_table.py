"""The user's own prices: a file, or rows given to ``configure``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otel_llm.errors import ConfigurationError
from otel_llm.price_table import PricesGiven, read_price_table, use_price_table
from otel_llm.pricing import Cost, TokenCounts, overriding_price, price, unpriced_models
from otel_llm.settings import read_settings

NOVEMBER_NS = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) * 10**9
USAGE = TokenCounts(input_tokens=1000, output_tokens=100)
MINE: dict[str, Any] = {"model": "my-model", "input": 2, "output": 10}

TOML = """
[[prices]]
provider = "openai"
model = "gpt-4o*"
from = 2026-01-01
until = 2027-01-01T00:00:00Z
input = 1.25
output = 5

[[prices]]
model = "my-model"
input = 0.1
cache_read = 0.01
output = 0.2
request = 0.005
"""


@pytest.fixture(autouse=True)
def _no_table_left() -> Iterator[None]:
    yield
    use_price_table(None)


def priced(given: PricesGiven, model: str = "my-model", usage: TokenCounts = USAGE, **more: Any) -> Cost | None:
    use_price_table(read_price_table(given))
    asked: dict[str, Any] = {"provider": "openai", "model": model, "usage": usage, "at_ns": NOVEMBER_NS}
    return price(**asked | more)


def total(given: PricesGiven, *args: Any, **more: Any) -> float | None:
    cost = priced(given, *args, **more)
    return None if cost is None else cost.total


def test_a_row_prices_a_model_that_no_list_has() -> None:
    cost = priced([MINE])
    assert cost == Cost(total=0.003, input=0.002, output=0.001, source="price table")
    assert cost is not None
    assert cost.parts == {"input": 0.002, "output": 0.001}


def test_a_row_wins_over_the_list() -> None:
    assert total([{**MINE, "model": "gpt-4o"}], "gpt-4o") == 0.003


def test_a_row_for_another_name_of_the_model_wins_over_the_list_too() -> None:
    assert total([{**MINE, "model": "gpt-4o"}], "gpt-4o-2024-08-06", otherwise=("gpt-4o",)) == 0.003


@pytest.mark.parametrize(
    ("row", "model", "fits"),
    [
        ({"model": "MY-MODEL"}, "my-model", True),
        ({"model": "my-*"}, "My-Model", True),
        ({"model": "my-"}, "my-model", False),
        ({"provider": "openai"}, "my-model", True),
        ({"provider": "azure.ai.openai"}, "my-model", False),
        ({"from": "2026-11-01"}, "my-model", True),
        ({"from": "2026-11-02"}, "my-model", False),
        ({"until": "2026-11-01"}, "my-model", False),
        ({"until": "2026-11-01T00:00:01+00:00"}, "my-model", True),
        ({"from": "2026-11-01T01:00:00+02:00"}, "my-model", True),
        ({"service_tier": "flex"}, "my-model", True),
        ({"service_tier": "priority"}, "my-model", False),
        ({"above_input_tokens": 999}, "my-model", True),
        ({"above_input_tokens": 1000}, "my-model", False),
    ],
)
def test_which_calls_a_row_is_for(row: dict[str, Any], model: str, fits: bool) -> None:
    assert (total([{**MINE, **row}], model, service_tier="flex") is not None) is fits


def test_the_first_row_that_fits_counts() -> None:
    assert total([{**MINE, "above_input_tokens": 500, "input": 4}, MINE]) == 0.005
    assert total([MINE, {**MINE, "input": 4}]) == 0.003


def test_each_part_of_the_tokens_has_its_own_price_or_that_of_what_it_is_part_of() -> None:
    usage = TokenCounts(
        input_tokens=1000,
        output_tokens=500,
        cache_read=300,
        cache_write=200,
        cache_write_1h=50,
        input_audio=100,
        output_audio=40,
        reasoning=60,
    )
    row = {**MINE, "cache_read": 0.5, "cache_write_1h": 4, "input_audio": 30, "output_audio": 60, "request": 0.01}
    cost = priced([row], usage=usage)
    assert cost is not None
    assert cost.parts == {
        "input": 400 * 2 / 1e6,
        "cache_read": 300 * 0.5 / 1e6,
        "cache_write": 150 * 2 / 1e6,
        "cache_write_1h": 50 * 4 / 1e6,
        "input_audio": 100 * 30 / 1e6,
        "output": 400 * 10 / 1e6,
        "output_audio": 40 * 60 / 1e6,
        "reasoning": 60 * 10 / 1e6,
        "request": 0.01,
    }
    assert cost.total == pytest.approx(sum(cost.parts.values()), abs=1e-12)


def test_a_call_can_have_one_flat_price() -> None:
    assert total([{"model": "my-model", "request": 0.04}]) == 0.04


def test_what_costs_nothing_has_a_price() -> None:
    assert total([{**MINE, "model": "free-model", "input": 0, "output": 0}], "free-model") == 0.0
    assert ("openai", "free-model") not in unpriced_models()


def test_only_a_row_that_says_so_wins_over_what_the_provider_reports() -> None:
    asked: Any = {"provider": "openai", "model": "my-model", "usage": USAGE, "at_ns": NOVEMBER_NS}
    use_price_table(read_price_table([MINE]))
    assert overriding_price(**asked) is None
    use_price_table(read_price_table([MINE, {**MINE, "override_provider": True, "input": 3}]))
    assert overriding_price(**asked) == Cost(total=0.004, input=0.003, output=0.001, source="price table")


def test_a_toml_file(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(TOML)
    assert total(tmp_path / "prices.toml", "gpt-4o-2024-08-06") == 0.00175
    assert total(str(tmp_path / "prices.toml")) == 0.00512
    assert total(tmp_path / "prices.toml", "gpt-4o", at_ns=NOVEMBER_NS - 10**18) == 0.0035  # before 2026: the list's


@pytest.mark.parametrize("document", [{"prices": [MINE]}, [MINE]])
def test_a_json_file(tmp_path: Path, document: Any) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(document))
    assert total(tmp_path / "prices.json") == 0.003


def test_every_fault_of_every_row_is_said_at_once() -> None:
    rows: Any = [
        MINE,
        {"input": -1, "output": 1},
        {"model": "b", "input": 1, "output": 1, "inptu": 3},
        {"model": "c", "input": 1},
        {"model": "d"},
        {**MINE, "from": "2026-02-01", "until": "2026-01-01"},
        {**MINE, "input": "much", "output": float("nan")},
    ]
    with pytest.raises(ConfigurationError) as caught:
        read_price_table(rows)
    assert caught.value.faults == (
        "prices: row 2: model: Field required",
        "prices: row 2: input: Input should be greater than or equal to 0",
        "prices: row 3: inptu: Extra inputs are not permitted",
        "prices: row 4: has no price of output; say 0 for what costs nothing",
        "prices: row 5: has no price",
        "prices: row 6: ends before it begins: `until` must be later than `from`",
        "prices: row 7: input: Input should be a valid decimal",
        "prices: row 7: output: Input should be a finite number",
    )


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("p.toml", "[[prices]\n", "Expected ']]'"),
        ("p.json", "{", "Expecting property name"),
        ("p.toml", "cost = 1\n", "must hold nothing but a list of tables named prices"),
        ("p.json", '{"prices": {}}', "must hold nothing but a list of tables named prices"),
        ("p.json", "[1]", "row 1: Input should be a valid dictionary"),
        ("p.toml", b"\xff", "can't decode byte"),
    ],
)
def test_a_file_that_is_none_is_said(tmp_path: Path, name: str, content: str | bytes, fault: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_price_table(path)
    (said,) = caught.value.faults
    assert said.startswith(f"{path}: ")
    assert fault in said


def test_settings_name_the_faults_of_the_file_beside_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_PRICES", str(tmp_path / "none.toml"))
    monkeypatch.setenv("OTEL_LLM_SEND_TIMEOUT", "-1")
    with pytest.raises(ConfigurationError) as caught:
        read_settings()
    assert caught.value.faults == (
        "OTEL_LLM_SEND_TIMEOUT: Input should be greater than 0",
        f"OTEL_LLM_PRICES: {tmp_path / 'none.toml'}: cannot be read: No such file or directory",
    )


def test_settings_hold_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.toml").write_text(TOML)
    monkeypatch.setenv("OTEL_LLM_PRICES", str(tmp_path / "prices.toml"))
    table = read_settings().prices
    assert table is not None
    assert [row.model for row in table.rows] == ["gpt-4o*", "my-model"]


def test_an_exporter_alone_has_the_table_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prices.toml").write_text(TOML)
    monkeypatch.setenv("OTEL_LLM_PRICES", str(tmp_path / "prices.toml"))
    use_price_table(None)
    found = price(provider="openai", model="my-model", usage=USAGE, at_ns=NOVEMBER_NS)
    assert found is not None
    assert found.source == "price table"


def test_an_exporter_alone_warns_once_of_a_table_that_it_cannot_use(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_LLM_PRICES", "nowhere.toml")
    use_price_table(None)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert price(provider="openai", model="gpt-4o", usage=USAGE, at_ns=NOVEMBER_NS) is not None
    assert [record.getMessage() for record in caplog.records] == [
        "The price table of OTEL_LLM_PRICES is not used: nowhere.toml: cannot be read: No such file or directory"
    ]
