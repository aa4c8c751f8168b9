"""``otel-llm models browse``: found, shown, chosen; for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otel_llm.cli import browse as browsing
from otel_llm.cli.app import app
from otel_llm.testing.provider import FakeProvider

SONNET = {
    "id": "anthropic/claude-sonnet-4.5",
    "name": "Claude Sonnet 4.5",
    "description": "For coding.\x1b[31m Red.",
    "context_length": 1_000_000,
    "architecture": {"modality": "text+image->text"},
    "pricing": {"prompt": "0.000003", "completion": "0.0000155"},
    "supported_parameters": ["tools"],
    "expiration_date": "2026-12-31",
}
FREE = {"id": "acme/small:free", "pricing": {"prompt": "0", "completion": "0"}, "supported_parameters": []}
LLAMA = {"model": "llama3.2:latest", "id": None}

Run = Callable[..., Result]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    """OpenRouter and Ollama at once: each lists what it can read of these."""
    with FakeProvider(models=[SONNET, FREE, LLAMA]) as fake:
        monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
        monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-secret")
        monkeypatch.setenv("OLLAMA_HOST", fake.ollama)
        yield fake


@pytest.fixture
def run(vendor: FakeProvider) -> Run:
    return lambda *arguments, **more: CliRunner().invoke(app, ["models", "browse", *arguments], **more)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "_is_terminal", lambda *, output: True)


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines()]


def test_a_table_of_all_models_and_how_old_the_lists_are(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert rows(result) == [
        ["#", "model", "input", "$/M", "output", "$/M", "context", "takes", "->", "gives", "tools"],
        ["1", "openrouter:anthropic/claude-sonnet-4.5", "3.00", "15.50", "1,000,000", "text+image", "->", "text", "yes"],
        ["2", "openrouter:acme/small:free", "0.00", "0.00", "?", "?", "no"],
        ["3", "ollama:llama3.2:latest", "0.00", "0.00", "?", "text", "->", "text", "?"],
    ]
    assert result.stderr == (
        "openrouter: 2 models, listed just now, 1 not understood\nollama: 1 models, listed just now, 2 not understood\n"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--text", "claude sonnet"], ["anthropic/claude-sonnet-4.5"]),
        (["--max-price", "3"], ["acme/small:free", "llama3.2:latest"]),
        (["--max-price", "15.5", "--tools"], ["anthropic/claude-sonnet-4.5"]),
        (["--min-context", "200000"], ["anthropic/claude-sonnet-4.5"]),
        (["--modality", "image", "--modality", "->text"], ["anthropic/claude-sonnet-4.5"]),
        (["--free", "-t", "acme"], ["acme/small:free"]),
        (["--text", "nothing of the kind"], []),
    ],
)
def test_what_is_asked_for(run: Run, arguments: list[str], found: list[str]) -> None:
    told = json.loads(run(*arguments, "--json").stdout)
    assert [model["id"].partition(":")[2] for model in told["models"]] == found


def test_json_for_programs(run: Run) -> None:
    told = json.loads(run("--json", "--tools").stdout)
    assert told["models"] == [
        {
            "id": "openrouter:anthropic/claude-sonnet-4.5",
            "name": "Claude Sonnet 4.5",
            "description": "For coding.\x1b[31m Red.",
            "input_price": 3.0,
            "output_price": 15.5,
            "free": False,
            "context_length": 1_000_000,
            "reads": ["text", "image"],
            "writes": ["text"],
            "tools": True,
            "expires": "2026-12-31",
        }
    ]
    openrouter = told["lists"][0]
    assert {**openrouter, "fetched_at": None, "age_s": None} == {
        "provider": "openrouter",
        "models": 2,
        "fetched_at": None,
        "age_s": None,
        "stale": False,
        "fault": None,
        "skipped": 1,
    }


def test_no_more_than_so_many(run: Run) -> None:
    assert run("-n", "1").stdout.splitlines()[-1] == "... and 2 more: narrow the search, or raise --limit."


def test_nobody_answers(run: Run, vendor: FakeProvider) -> None:
    run()
    vendor.stop()
    result = run("--refresh")
    assert rows(result)[1][1] == "openrouter:anthropic/claude-sonnet-4.5"
    assert result.stderr.splitlines() == [
        f"openrouter: not refreshed: 2 models, listed just now, 1 not understood. {vendor.openrouter}/models cannot be reached "
        "(ConnectError). Look at OPENROUTER_BASE_URL, OPENROUTER_API_KEY and the network.",
        f"ollama: STALE: 1 models, listed just now, 2 not understood. {vendor.ollama}/api/tags cannot be reached "
        "(ConnectError). Start it with `ollama serve`, or say in OLLAMA_HOST where it is.",
    ]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_nothing_was_ever_listed(run: Run, more: list[str]) -> None:
    result = run("--offline", *more)
    assert result.exit_code == 1
    assert more or result.stderr.splitlines() == [
        "openrouter: no list. It was never fetched: leave --offline out",
        "ollama: no list. It was never fetched: leave --offline out",
    ]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--max-price", "nan"], "is no amount of USD"),
        (["--max-price", "-1"], "not in the range"),
        (["--min-context", "0"], "not in the range"),
        (["--refresh", "--offline"], "exclude each other"),
        (["--pick"], "needs a terminal"),
    ],
)
def test_mistakes(run: Run, vendor: FakeProvider, arguments: list[str], fault: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, vendor.exchanges) == (2, [])
    assert fault in result.stderr


@pytest.mark.usefixtures("terminal")
class TestOnATerminal:
    def test_one_model_is_shown_with_what_to_do_next(self, run: Run) -> None:
        result = run(input="1\n\n")
        assert result.stdout.partition("ends: 1\n")[2].splitlines()[:6] == [
            "openrouter:anthropic/claude-sonnet-4.5  Claude Sonnet 4.5",
            "  3.00 USD per million tokens of input, 15.50 of output; 1,000,000 tokens of context",
            "  text+image -> text; tools: yes",
            "  offered until 2026-12-31",
            "  For coding. [31m Red.",
            "Next: otel-llm models set AGENT openrouter:anthropic/claude-sonnet-4.5",
        ]

    def test_words_search_on(self, run: Run) -> None:
        shown = run("--free", input="llama\n1\n\n").stdout
        assert shown.splitlines()[-2:] == [
            'Next: LLM(default="ollama:llama3.2:latest"); an agent\'s model can be set to those of OpenRouter only',
            "A number shows a model, words search, Enter ends: ",
        ]

    @pytest.mark.parametrize("answer", ["99\n\n", "0\n\n", "9" * 5_000 + "\n\n", "", "none of it\n1\n"])
    def test_any_other_answer_is_a_search_or_the_end(self, run: Run, answer: str) -> None:
        assert run(input=answer).exit_code == 0

    def test_the_model_that_is_picked_is_all_that_is_printed(self, run: Run) -> None:
        result = run("--pick", input="small\n1\n")
        assert (result.stdout, result.exit_code) == ("openrouter:acme/small:free\n", 0)
        assert "claude-sonnet" in result.stderr

    def test_nothing_picked(self, run: Run) -> None:
        result = run("--pick", input="\n")
        assert (result.stdout, result.exit_code) == ("", 1)


def test_what_was_picked_can_be_set(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("OTEL_LLM_MODELS", f"sqlite:///{tmp_path}/m.sqlite3")
    model = json.loads(run("--json", "--tools").stdout)["models"][0]["id"]
    result = CliRunner().invoke(app, ["models", "set", "strategist", model])
    assert result.output == "strategist uses anthropic/claude-sonnet-4.5 within 60 seconds.\n"
