"""``configure(models=...)`` and ``OTEL_LLM_MODELS``: where the choice of models comes from."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_llm
from otel_llm.errors import ConfigurationError, MissingExtraError
from otel_llm.models.place import open_store
from otel_llm.models.resolver import ModelResolver, current_resolver, use_resolver

DEFAULT = "openai:gpt-5"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process in which nothing is configured yet."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-geheim")
    yield monkeypatch
    otel_llm.shutdown()
    use_resolver(None)


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "models.yaml").write_text("agents: {strategist: a/b}")
    return f"{tmp_path}/models.yaml"


def configure(**given: object) -> None:
    otel_llm.configure(tracer_provider=TracerProvider(), **given)  # type: ignore[arg-type]


def chosen() -> str:
    return current_resolver().resolve(DEFAULT, agent="strategist").model


def test_the_environment_names_the_place(environment: pytest.MonkeyPatch, file: str) -> None:
    environment.setenv("OTEL_LLM_MODELS", file)
    configure()
    assert chosen() == "a/b"


def test_a_place_may_be_given(environment: pytest.MonkeyPatch, file: str) -> None:
    environment.setenv("OTEL_LLM_MODELS", "none")
    configure(models=file)
    assert chosen() == "a/b"


def test_a_store_may_be_given(file: str) -> None:
    configure(models=open_store(file))
    assert chosen() == "a/b"


def test_a_resolver_may_be_given(file: str) -> None:
    resolver = ModelResolver(open_store(file))
    configure(models=resolver)
    assert current_resolver() is resolver


def test_without_a_place_there_are_no_overrides_and_no_files(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("OTEL_LLM_STATE_DIR", str(tmp_path / "state"))
    configure()
    assert chosen() == "gpt-5"
    assert not (tmp_path / "state").exists()


def test_choices_hold_where_tracing_is_disabled(environment: pytest.MonkeyPatch, file: str) -> None:
    environment.setenv("OTEL_SDK_DISABLED", "true")
    configure(models=file)
    assert chosen() == "a/b"


def test_what_is_set_later_in_the_state_directory_is_found(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("OTEL_LLM_STATE_DIR", str(tmp_path))
    environment.setenv("OTEL_LLM_MODELS_REFRESH", "0.01")
    configure()
    assert chosen() == "gpt-5"

    store = open_store()
    assert store is not None
    store.set("strategist", "a/b", by="eve")

    deadline = time.monotonic() + 30
    while chosen() == "gpt-5" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert chosen() == "a/b"


def test_without_the_extra_there_is_no_warning_as_long_as_nothing_is_set(
    environment: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("OTEL_LLM_STATE_DIR", str(tmp_path))
    environment.setitem(sys.modules, "otel_llm.models.sql", None)
    environment.setitem(sys.modules, "sqlalchemy", None)
    assert (chosen(), caplog.records) == ("gpt-5", [])


@pytest.mark.parametrize(("place", "module"), [("sqlite:////srv/m.db", "sqlalchemy"), ("/srv/m.yaml", "yaml")])
def test_a_missing_extra_is_told_at_the_start(environment: pytest.MonkeyPatch, place: str, module: str) -> None:
    for name in ("otel_llm.models.sql", "otel_llm.models.sql_tables", "otel_llm.models.file"):
        environment.delitem(sys.modules, name, raising=False)
    environment.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otel-llm\[models\]'"):
        configure(models=place)


@pytest.mark.parametrize(
    ("variable", "value", "wrong"),
    [
        ("OTEL_LLM_MODELS_REFRESH", "0", "OTEL_LLM_MODELS_REFRESH: .*greater than 0"),
        ("OTEL_LLM_MODELS_REFRESH", "soon", "OTEL_LLM_MODELS_REFRESH: .*valid number"),
        ("OTEL_LLM_MODELS", "mysql://eve:geheim@host/db", "must be a URL such as"),
        ("OTEL_LLM_MODELS", "nonsense", "neither a database's URL"),
    ],
)
def test_wrong_settings_are_told_at_the_start(environment: pytest.MonkeyPatch, variable: str, value: str, wrong: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=wrong) as refused:
        configure()
    assert "geheim" not in str(refused.value)
