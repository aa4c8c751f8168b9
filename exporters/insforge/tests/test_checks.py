"""What the doctor finds of the legacy tables, behind an InsForge and in a database. Nothing is ever written."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
import sqlalchemy as sa

from otel_llm.doctor import Finding, Level
from otel_llm.testing.insforge import FakeInsForge
from otel_llm.testing.server import LoopbackServer, Request, Response
from otel_llm_insforge import migrate
from otel_llm_insforge.checks import check

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
DATABASE = "OTEL_LLM_LEGACY_DATABASE_URL"
SECRET = "s3cr3t-password"
TABLES = ("pipeline_traces", "pipeline_spans")
SetEnv = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> SetEnv:
    monkeypatch.setenv(CAPTURE, "SPAN_ONLY")
    monkeypatch.setenv("NO_PROXY", "*")

    def set_more(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_more


def found(*, offline: bool = False) -> list[Finding]:
    findings = check(timeout_s=5, offline=offline)
    assert not any(secret in str(findings) for secret in (SECRET, "ik_fake"))
    return findings


@pytest.fixture
def reached(environment: SetEnv, insforge: FakeInsForge) -> FakeInsForge:
    environment(**insforge.environment)
    return insforge


def test_without_settings_it_is_not_configured() -> None:
    assert found() == [Finding(Level.NOTE, "insforge", "is not configured; no legacy tables are written")]


def test_all_is_fine_behind_an_insforge(reached: FakeInsForge) -> None:
    assert found() == [
        Finding(Level.OK, "insforge", f"{table} can be read at 127.0.0.1, with all its columns") for table in TABLES
    ]
    assert {request.method for request in reached.requests} == {"GET"}


def test_offline_no_server_is_asked(reached: FakeInsForge) -> None:
    assert found(offline=True) == []
    assert reached.requests == []


def test_a_wrong_key(environment: SetEnv, reached: FakeInsForge) -> None:
    environment(INSFORGE_API_KEY=f"ik_{SECRET}")
    assert found() == [
        Finding(
            Level.FAULT,
            "INSFORGE_API_KEY",
            "pipeline_traces cannot be read: InsForge refused the key: check INSFORGE_API_KEY (status 401, AUTH_INVALID_API_KEY)",
            "Take the project's API key (ik_...)",
        )
    ]


def test_a_table_is_missing(reached: FakeInsForge) -> None:
    reached.drop_table("pipeline_spans")
    there, missing = found()
    assert there.level is Level.OK
    assert missing == Finding(
        Level.FAULT,
        "insforge",
        "pipeline_spans cannot be read: the tables are missing or differ: run the migrations of otel-llm-insforge "
        "(status 404, 42P01)",
        "Run the migrations of otel-llm-insforge",
    )


@pytest.mark.parametrize("kind", ["database_down", "throttled", "bad_gateway"])
def test_a_fault_that_passes_is_a_warning(reached: FakeInsForge, kind: str) -> None:
    reached.fail_next(kind)  # type: ignore[arg-type]
    (finding,) = found()
    assert (finding.level, finding.where) == (Level.WARNING, "insforge")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1", "127.0.0.1 cannot be reached: the connection is refused: nothing listens there"),
        ("http://insforge.invalid", "insforge.invalid cannot be reached: its host name cannot be resolved"),
    ],
)
def test_a_host_that_is_not_there(environment: SetEnv, address: str, why: str) -> None:
    environment(INSFORGE_BASE_URL=address, INSFORGE_API_KEY="ik_fake")
    assert found() == [Finding(Level.FAULT, "INSFORGE_BASE_URL", why, "Check INSFORGE_BASE_URL and the network")]


class OtherServer(LoopbackServer):
    """Something that is no InsForge: the same answer to everything."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response

    def answer(self, request: Request) -> Response:
        return self.response


@pytest.mark.parametrize(
    ("response", "part"),
    [
        (Response(302, {"Location": "https://sso.example.com/login"}), "redirects to sso.example.com"),
        (Response(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>"), "this is not the answer of an InsForge"),
    ],
)
def test_a_server_that_is_no_insforge(environment: SetEnv, response: Response, part: str) -> None:
    with OtherServer(response) as server:
        environment(INSFORGE_BASE_URL=server.base_url, INSFORGE_API_KEY="ik_fake")
        (finding,) = found()
    assert (finding.level, finding.where) == (Level.FAULT, "INSFORGE_BASE_URL")
    assert part in finding.what


def test_a_skewed_clock(environment: SetEnv) -> None:
    late = Response(200, {"Date": formatdate(time.time() - 3_600, usegmt=True)}, b"[]")
    with OtherServer(late) as server:
        environment(INSFORGE_BASE_URL=server.base_url, INSFORGE_API_KEY="ik_fake")
        (clock,) = [finding for finding in found() if finding.where == "clock"]
    assert clock.level is Level.WARNING


def test_faults_of_the_settings(environment: SetEnv) -> None:
    environment(INSFORGE_BASE_URL="ftp://x", INSFORGE_API_KEY=f"ik_{SECRET} with spaces")
    findings = found()
    assert [finding.level for finding in findings] == [Level.FAULT] * 2
    assert [finding.where for finding in findings] == ["INSFORGE_BASE_URL", "INSFORGE_API_KEY"]


@pytest.mark.parametrize(("capture", "told"), [("NO_CONTENT", True), ("EVENT_ONLY", True), ("SPAN_ONLY", False)])
def test_content_that_nobody_records(environment: SetEnv, reached: FakeInsForge, capture: str, told: bool) -> None:
    environment(**{CAPTURE: capture}, OTEL_LLM_LEGACY_CONTENT="true")
    assert [finding.level for finding in found(offline=True)] == ([Level.WARNING] if told else [])


@pytest.fixture
def database(environment: SetEnv, database_url: str) -> str:
    environment(**{DATABASE: database_url}, OTEL_LLM_LEGACY_CREATE_TABLES="false")
    return database_url


@pytest.mark.usefixtures("database")
def test_all_is_fine_in_a_database(engine: sa.Engine) -> None:
    migrate(engine)
    assert found() == [Finding(Level.OK, "insforge", f"{table} is there, with all its columns") for table in TABLES]


@pytest.mark.usefixtures("database")
def test_tables_that_are_not_there(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE pipeline_traces (id INTEGER, trace_id TEXT)")
    different, missing = found()
    assert (different.level, different.what.startswith("pipeline_traces lacks columns: pipeline_name, ")) == (Level.FAULT, True)
    assert (missing.level, missing.what) == (Level.FAULT, "pipeline_spans is missing in the database")


@pytest.mark.usefixtures("database")
def test_tables_that_are_made_when_needed_are_no_fault(environment: SetEnv, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
    environment(OTEL_LLM_LEGACY_CREATE_TABLES="true")
    assert found() == [Finding(Level.OK, "insforge", f"{table} is made with the first row") for table in TABLES]
    assert sa.inspect(engine).get_table_names() == ["other"]


def test_no_sqlite_file_is_made(environment: SetEnv, tmp_path: Path) -> None:
    path = tmp_path / "legacy.db"
    environment(**{DATABASE: f"sqlite:///{path}"})
    assert found() == [Finding(Level.OK, "insforge", f"the SQLite file is made with the first row: {path}")]
    assert not path.exists()
    environment(OTEL_LLM_LEGACY_CREATE_TABLES="false")
    (finding,) = found()
    assert (finding.level, finding.where, path.exists()) == (Level.FAULT, DATABASE, False)


def test_a_database_that_is_not_there(environment: SetEnv) -> None:
    environment(**{DATABASE: f"postgresql://me:{SECRET}@127.0.0.1:1/legacy"})
    (finding,) = found()
    assert (finding.level, finding.where) == (Level.FAULT, DATABASE)
