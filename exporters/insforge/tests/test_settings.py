"""From the environment, or from arguments, to a destination; all faults at once."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from legacy_spans import START, pipeline_run
from opentelemetry.sdk.trace.export import SpanExportResult

from otel_llm.errors import ConfigurationError
from otel_llm.testing.insforge import FakeInsForge
from otel_llm_insforge import InsForgeExporter, create_engine, from_environment, parse_url
from otel_llm_insforge.sql import SqlStore

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_all(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_without_settings_there_is_no_destination() -> None:
    assert from_environment() is None


def test_an_insforge_is_found_by_its_own_variables(insforge: FakeInsForge, environment: Any) -> None:
    environment(**insforge.environment)
    destination = from_environment()
    assert destination is not None
    record = destination.encode(pipeline_run()[0])
    assert record is not None
    destination.send([record], timeout_s=5)
    destination.close()
    assert [row["pipeline_name"] for row in insforge.rows("pipeline_traces")] == ["learn"]


def test_the_older_names_of_the_variables_serve_too(insforge: FakeInsForge, environment: Any) -> None:
    environment(INSFORGE_URL=insforge.base_url, INSFORGE_ANON_KEY=insforge.anon_key)
    destination = from_environment()
    assert destination is not None
    assert destination.row_counts() == {"pipeline_traces": 0, "pipeline_spans": 0}
    destination.close()


def test_a_database_url_wins_over_insforge(insforge: FakeInsForge, environment: Any, tmp_path: Path) -> None:
    environment(**insforge.environment, OTEL_LLM_LEGACY_DATABASE_URL=f"sqlite:///{tmp_path}/legacy.db")
    destination = from_environment()
    assert destination is not None
    assert destination.row_counts() == {"pipeline_traces": 0, "pipeline_spans": 0}
    assert insforge.requests == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_spelling_of_a_postgresql_url_is_taken(postgresql_url: str, environment: Any, scheme: str) -> None:
    url = scheme + postgresql_url[postgresql_url.index("://") :]
    environment(OTEL_LLM_LEGACY_DATABASE_URL=url, OTEL_LLM_LEGACY_CREATE_TABLES="true")
    destination = from_environment()
    assert destination is not None
    assert destination.row_counts() == {"pipeline_traces": 0, "pipeline_spans": 0}


def test_all_faults_are_told_at_once(environment: Any) -> None:
    environment(
        INSFORGE_BASE_URL="insforge.example",
        INSFORGE_API_KEY=JWT,
        OTEL_LLM_LEGACY_ORPHANS="adopt",
        OTEL_LLM_LEGACY_CONTENT="maybe",
        OTEL_LLM_LEGACY_SPAN_NAMES="llm:x",
    )
    with pytest.raises(ConfigurationError) as caught:
        from_environment()
    assert caught.value.faults == (
        "INSFORGE_BASE_URL must look like https://host, without user, query or fragment",
        "INSFORGE_API_KEY is an access token, which ends after 15 minutes: use the project's API key (ik_...)",
        "OTEL_LLM_LEGACY_CONTENT: Input should be 'full', 'truncated', 'hash' or 'none'",
        "OTEL_LLM_LEGACY_ORPHANS: Input should be 'skip' or 'synthesize'",
        'OTEL_LLM_LEGACY_SPAN_NAMES: Value error, must be a JSON object such as {"llm:openai": "llm:gpt"}',
    )


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"INSFORGE_BASE_URL": "https://x.example"}, "INSFORGE_API_KEY is missing, though INSFORGE_BASE_URL is set"),
        ({"INSFORGE_API_KEY": "ik_x"}, "INSFORGE_BASE_URL is missing, though a key is set"),
        (
            {"INSFORGE_BASE_URL": "https://x.example", "INSFORGE_API_KEY": "ik_x\n"},
            "INSFORGE_API_KEY holds characters that no key has, such as spaces or line ends",
        ),
        (
            {"OTEL_LLM_LEGACY_DATABASE_URL": "mysql://u:secret@h/d"},
            "OTEL_LLM_LEGACY_DATABASE_URL must be a postgresql:// or a sqlite:// URL",
        ),
        (
            {"OTEL_LLM_LEGACY_DATABASE_URL": "sqlite://"},
            "OTEL_LLM_LEGACY_DATABASE_URL must name a SQLite file: a database in memory is gone with its connection",
        ),
        (
            {"OTEL_LLM_LEGACY_DATABASE_URL": "secret"},
            "OTEL_LLM_LEGACY_DATABASE_URL is not a database URL such as "
            "postgresql://user:password@host/name or sqlite:////path/file.db",
        ),
    ],
)
def test_a_fault_says_what_to_set(environment: Any, values: dict[str, str], fault: str) -> None:
    environment(**values)
    with pytest.raises(ConfigurationError) as caught:
        from_environment()
    assert caught.value.faults == (fault,)


def test_the_exporter_without_settings_says_what_it_needs() -> None:
    with pytest.raises(ConfigurationError, match="INSFORGE_BASE_URL and INSFORGE_API_KEY, or OTEL_LLM_LEGACY_DATABASE_URL"):
        InsForgeExporter()


def test_arguments_win_over_the_environment(insforge: FakeInsForge, environment: Any, tmp_path: Path) -> None:
    environment(
        OTEL_LLM_LEGACY_DATABASE_URL=f"sqlite:///{tmp_path}/legacy.db", OTEL_LLM_LEGACY_SPAN_NAMES='{"llm:anthropic": "llm:a"}'
    )
    exporter = InsForgeExporter(
        base_url=insforge.base_url, api_key=insforge.api_key, span_names={"agent:strategist": "agent:s"}
    )
    assert exporter.export(pipeline_run()) is SpanExportResult.SUCCESS
    assert exporter.force_flush()
    exporter.shutdown()
    assert [row["span_name"] for row in insforge.rows("pipeline_spans")] == ["agent:s", "llm:claude"]


def test_a_callable_key_is_asked_when_it_is_needed(insforge: FakeInsForge) -> None:
    keys = iter(["ik_at_start", insforge.api_key])
    exporter = InsForgeExporter(base_url=insforge.base_url, api_key=lambda: next(keys))
    exporter.export(pipeline_run()[:1])
    assert exporter.force_flush()
    exporter.shutdown()
    assert len(insforge.rows("pipeline_traces")) == 1


def test_the_exporter_writes_into_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/legacy.db"
    exporter = InsForgeExporter(database_url=url)
    exporter.export(pipeline_run(0))
    assert exporter.force_flush()
    exporter.shutdown()
    store = SqlStore(create_engine(parse_url(url)), create_tables=False)
    (trace,) = store.read_between("pipeline_traces", START, "2027")
    assert trace.columns["pipeline_name"] == "learn"


@pytest.mark.parametrize(
    ("group", "loaded"),
    [("opentelemetry_traces_exporter", InsForgeExporter), ("otel_llm_destination", from_environment)],
)
def test_it_is_found_by_its_entry_points(group: str, loaded: Any) -> None:
    (entry,) = entry_points(group=group, name="insforge")
    assert entry.load() is loaded


def test_no_secret_shows_in_a_repr(environment: Any) -> None:
    from otel_llm_insforge.settings import load

    environment(
        INSFORGE_BASE_URL="https://x.example",
        INSFORGE_API_KEY="ik_secret",
        OTEL_LLM_LEGACY_DATABASE_URL="postgresql://u:secret@h/d",
    )
    told = repr(load({}))
    assert "ik_secret" not in told
    assert "u:secret" not in told
