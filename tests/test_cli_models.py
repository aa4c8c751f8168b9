"""``otel-llm models``: overrides seen, set, undone, and who did it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from otel_llm.cli.app import app
from otel_llm.models.catalogue import Catalogue, Listing
from otel_llm.models.listed import ListedModel

Run = Callable[..., Result]
KEY = "sk-or-geheim"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that the environment names; there is no catalogue."""
    monkeypatch.setenv("OTEL_LLM_MODELS", f"sqlite:///{tmp_path}/models.db")
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("LOGNAME", "eve")
    return f"sqlite:///{tmp_path}/models.db"


@pytest.fixture
def run(place: str) -> Run:
    return lambda *words: CliRunner().invoke(app, ["models", *words])


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched from OpenRouter before."""
    models = tuple(ListedModel("openrouter", model, model) for model in ("openai/gpt-5", "x/small:free"))

    def listings(self: Catalogue, *, offline: bool = False) -> list[Listing]:
        assert offline
        return [Listing("ollama"), Listing("openrouter", models)]

    monkeypatch.setattr(Catalogue, "listings", listings)


def answered(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_an_override_is_set_listed_and_undone(run: Run, place: str) -> None:
    override = answered(run("set", "strategist", "openai/gpt-5", "--json"))
    assert override == override | {"agent": "strategist", "model": "openai/gpt-5", "set_by": "eve"}
    assert answered(run("list", "--json")) == {"store": place, "overrides": [override]}

    assert answered(run("unset", "strategist", "--by", "bob", "--json")) == {"agent": "strategist", "was_set": True}
    assert answered(run("unset", "strategist", "--json")) == {"agent": "strategist", "was_set": False}
    assert answered(run("list", "--json")) == {"store": place, "overrides": []}


def test_the_history_says_who_changed_what(run: Run, place: str) -> None:
    run("set", "strategist", "openai/gpt-5")
    run("set", "memory", "openai/gpt-5")
    run("unset", "strategist", "--by", "bob")

    told = answered(run("history", "strategist", "--json"))

    assert (told["store"], [{k: v for k, v in change.items() if k != "at"} for change in told["changes"]]) == (
        place,
        [
            {"agent": "strategist", "from": "openai/gpt-5", "to": None, "by": "bob"},
            {"agent": "strategist", "from": None, "to": "openai/gpt-5", "by": "eve"},
        ],
    )
    assert len(answered(run("history", "--limit", "2", "--json"))["changes"]) == 2


def test_it_is_told_for_people_too(run: Run) -> None:
    assert "no overrides" in run("list").output
    assert "no changes" in run("history").output
    assert run("set", "strategist", "openai/gpt-5").output == "strategist uses openai/gpt-5 within 60 seconds.\n"
    assert run("unset", "memory").output == "memory had no override: it uses what its code says.\n"
    assert "strategist │ openai/gpt-5 │ eve" in run("list").output
    assert "strategist │ (the code's) │ openai/gpt-5 │ eve" in run("history").output
    assert run("unset", "strategist").output == "strategist uses within 60 seconds what its code says.\n"


def test_another_store_can_be_named(run: Run, tmp_path: Path) -> None:
    file = f"{tmp_path}/other.yaml"
    run("set", "strategist", "openai/gpt-5", "--store", file)

    assert [row["agent"] for row in answered(run("list", "--store", file, "--json"))["overrides"]] == ["strategist"]
    assert answered(run("list", "--json"))["overrides"] == []


def test_without_the_shared_key_an_override_is_refused_with_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY")

    refused = run("set", "strategist", "openai/gpt-5", "--force")

    assert (refused.exit_code, refused.output) == (
        1,
        "Error: an override goes through OpenRouter, whatever provider the agent uses, and OPENROUTER_API_KEY is not set here\n",
    )
    assert "OPENROUTER_API_KEY is not set here" in run("list").stderr
    assert answered(SimpleNamespace(exit_code=0, output=run("list", "--json").stdout))["overrides"] == []  # type: ignore[arg-type]


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    "model", ["openai/gpt-5", "openrouter:openai/gpt-5", "x/small:free", "openai/gpt-5:nitro", "openai/gpt-5:online"]
)
def test_a_model_of_the_catalogue_is_taken(run: Run, model: str) -> None:
    assert run("set", "strategist", model).exit_code == 0


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("model", ["openai/gpt-55", "openai/gpt-5:free", "x/small"])
def test_a_model_that_the_catalogue_does_not_have_is_refused_unless_forced(run: Run, model: str) -> None:
    refused = run("set", "strategist", model)
    assert refused.exit_code == 1
    assert f"OpenRouter lists no model '{model}' in the catalogue of" in refused.output
    assert "--force" in refused.output
    assert answered(run("list", "--json"))["overrides"] == []

    assert answered(run("set", "strategist", model, "--force", "--json"))["model"] == model


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("set", "strategist", "openai:gpt-5"), "an override goes through OpenRouter"),
        (("set", "strategist", "gpt-5"), "say whose it is"),
        (("set", " ", "openai/gpt-5"), "a name has 1 to 200 characters"),
        (("list", "--store", "mysql://eve:geheim@host/db"), "must be a URL such as"),
        (("list", "--store", "none"), "set OTEL_LLM_MODELS"),
        (("history", "--store", "postgresql://eve:geheim@127.0.0.1:1/db"), "cannot be reached"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(run: Run, words: tuple[str, ...], wrong: str) -> None:
    refused = run(*words)

    assert (refused.exit_code, refused.output.count("\n"), wrong in refused.output) == (1, 1, True)
    assert "geheim" not in refused.output


def test_names_cannot_command_a_terminal(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text('agents: {strategist: {model: "a/b\\e[31m", set_by: "eve\\e[0m"}}')

    assert "\x1b" not in run("list", "--store", str(file)).output
