"""What the doctor finds of a Langfuse project: one fault at a time, against a server that has it."""

from __future__ import annotations

import base64
import calendar
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.budget import forecast
from otel_llm.doctor import Finding, Level
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.server import LoopbackServer, Request, Response
from otel_llm_langfuse import LangfuseDestination
from otel_llm_langfuse.budget import ADVICE, account, budget_of
from otel_llm_langfuse.checks import check
from otel_llm_langfuse.settings import LangfuseSettings

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "sk-lf-0123456789abcdef"
KEYS = "LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY"
NO_LIMIT = Finding(
    Level.NOTE, "langfuse budget", "observations are not counted: OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS sets no limit"
)
RUNS = Finding(Level.OK, "langfuse", "127.0.0.1 runs Langfuse 4.16.0")
ACCEPTED = Finding(Level.OK, "langfuse", "the keys are accepted, for project 'fake'")
TAKEN = Finding(Level.OK, "langfuse", "spans are taken")

SetEnv = Callable[..., None]
MakeSpan = Callable[..., ReadableSpan]


@pytest.fixture
def fake() -> Iterator[FakeLangfuse]:
    with FakeLangfuse(secret_key=SECRET) as server:
        yield server


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fake: FakeLangfuse) -> SetEnv:
    """The environment of an application whose Langfuse is ``fake``; sets more of it."""
    for name, value in {**fake.environment, CAPTURE: "SPAN_ONLY", "OTEL_LLM_STATE_DIR": str(tmp_path), "NO_PROXY": "*"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LANGFUSE_HOST")

    def set_more(**variables: str | None) -> None:
        for name, value in variables.items():
            monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)

    return set_more


def found(*, offline: bool = False) -> list[Finding]:
    """The findings, in none of which a key is told, in whatever form it is sent."""
    findings = check(timeout_s=5, offline=offline)
    basic = base64.b64encode(f"pk-lf-fake:{SECRET}".encode()).decode()
    for secret in (SECRET, basic, "wrong-0123456789"):
        assert secret not in str(findings)
    return findings


def but_for_the_budget() -> list[Finding]:
    return [finding for finding in found() if finding != NO_LIMIT]


@pytest.mark.usefixtures("environment")
def test_all_is_fine(fake: FakeLangfuse) -> None:
    assert found() == [NO_LIMIT, RUNS, ACCEPTED, TAKEN]
    assert fake.observations == []


@pytest.mark.usefixtures("environment")
def test_offline_no_server_is_asked(fake: FakeLangfuse) -> None:
    asked: list[Request] = []
    fake.behaviour = asked.append
    assert found(offline=True) == [NO_LIMIT]
    assert asked == []


def test_without_keys_it_is_not_configured(environment: SetEnv) -> None:
    environment(LANGFUSE_PUBLIC_KEY=None, LANGFUSE_SECRET_KEY=None)
    (finding,) = found()
    assert (finding.level, finding.where) == (Level.NOTE, "langfuse")


def test_each_fault_of_the_settings_is_told_by_its_variable(environment: SetEnv) -> None:
    environment(LANGFUSE_SECRET_KEY=None, LANGFUSE_SAMPLE_RATE="2", LANGFUSE_BASE_URL=f"https://me:{SECRET}@host")
    findings = found()
    assert {finding.level for finding in findings} == {Level.FAULT}
    assert {finding.where for finding in findings} == {"LANGFUSE_SECRET_KEY", "LANGFUSE_SAMPLE_RATE", "LANGFUSE_BASE_URL"}


def test_a_wrong_key(environment: SetEnv) -> None:
    environment(LANGFUSE_SECRET_KEY="sk-lf-wrong-0123456789")
    assert but_for_the_budget() == [
        RUNS,
        Finding(
            Level.FAULT,
            KEYS,
            "are not accepted by 127.0.0.1 (status 401)",
            "Take both from the same project of this very server; regions have keys of their own",
        ),
    ]


@pytest.mark.usefixtures("environment")
def test_a_suspended_project(fake: FakeLangfuse) -> None:
    fake.fail_next(403)
    assert but_for_the_budget() == [
        RUNS,
        ACCEPTED,
        Finding(
            Level.FAULT,
            "langfuse",
            "the project takes no spans (status 403): ingestion is suspended, or the keys may not write",
            "Look at usage and billing of the organisation in Langfuse",
        ),
    ]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("status", "level", "where"),
    [(404, Level.FAULT, "LANGFUSE_BASE_URL"), (429, Level.WARNING, "langfuse"), (500, Level.WARNING, "langfuse")],
)
def test_an_ingestion_route_that_fails(fake: FakeLangfuse, status: int, level: Level, where: str) -> None:
    fake.fail_next(status)
    *_, finding = found()
    assert (finding.level, finding.where) == (level, where)
    assert f"Langfuse answered {status}" in finding.what


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1", "127.0.0.1 cannot be reached: the connection is refused: nothing listens there"),
        ("http://langfuse.invalid", "langfuse.invalid cannot be reached: its host name cannot be resolved"),
    ],
)
def test_a_host_that_is_not_there(environment: SetEnv, address: str, why: str) -> None:
    environment(LANGFUSE_BASE_URL=address)
    todo = "Check LANGFUSE_BASE_URL, the network and the server"
    assert but_for_the_budget() == [Finding(Level.FAULT, "LANGFUSE_BASE_URL", why, todo)]


class OtherServer(LoopbackServer):
    """Something that is no Langfuse: the same answer to everything."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response

    def answer(self, request: Request) -> Response:
        return self.response


@pytest.mark.parametrize(
    ("response", "what"),
    [
        (
            Response(302, {"Location": "https://sso.example.com/login?next=secret"}),
            "127.0.0.1 redirects to sso.example.com, perhaps to a login page",
        ),
        (
            Response(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>"),
            "127.0.0.1 answers (200), but not as a Langfuse server does",
        ),
        (Response.json([1, 2]), "127.0.0.1 answers (200), but not as a Langfuse server does"),
        (Response(404), "127.0.0.1 answers (404), but not as a Langfuse server does"),
        (Response(200, {}, itertools.repeat(b"<" * 65_536)), "127.0.0.1 answers (200), but not as a Langfuse server does"),
    ],
    ids=["redirect", "page", "other JSON", "404", "endless"],
)
def test_a_server_that_is_no_langfuse(environment: SetEnv, response: Response, what: str) -> None:
    with OtherServer(response) as server:
        environment(LANGFUSE_BASE_URL=server.base_url)
        (finding,) = but_for_the_budget()
    assert (finding.level, finding.where, finding.what) == (Level.FAULT, "LANGFUSE_BASE_URL", what)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("version", "level", "part"),
    [
        ("4.59.0", Level.OK, "runs Langfuse 4.59.0"),
        ("4.15.2", Level.WARNING, "older than 4.16"),
        ("3.120.0", Level.WARNING, "no /api/public/v2/observations"),
        ("", Level.WARNING, "does not tell a version"),
        ("4.16.0\x1b[31m", Level.WARNING, "does not tell a version"),
    ],
)
def test_versions_of_the_server(fake: FakeLangfuse, version: str, level: Level, part: str) -> None:
    fake.version = version
    first, *others = but_for_the_budget()
    assert (first.level, first.where) == (level, "langfuse")
    assert part in first.what
    assert others == [ACCEPTED, TAKEN]


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("ahead_s", "direction"), [(-7_200, "ahead of"), (-32, "ahead of"), (7_200, "behind"), (0, None), (28, None)]
)
def test_a_clock_beside_that_of_the_server(fake: FakeLangfuse, ahead_s: int, direction: str | None) -> None:
    def health(request: Request) -> Response | None:
        if not request.path.endswith("/health"):
            return None
        return Response.json(
            {"status": "OK", "version": "4.16.0"}, headers={"Date": formatdate(time.time() + ahead_s, usegmt=True)}
        )

    fake.behaviour = health
    (clock,) = [finding for finding in found() if finding.where == "clock"]
    assert clock.level is (Level.WARNING if direction else Level.OK)
    if direction:
        assert f"s {direction} that of 127.0.0.1" in clock.what


def test_content_that_nobody_records(environment: SetEnv) -> None:
    environment(**{CAPTURE: "NO_CONTENT"}, OTEL_LLM_LANGFUSE_CONTENT="full")
    assert found(offline=True)[0] == Finding(
        Level.WARNING,
        "langfuse",
        "you will see no prompts and answers: OTEL_LLM_LANGFUSE_CONTENT is full, but content is not recorded on spans (NO_CONTENT)",
        f"Set {CAPTURE}=SPAN_ONLY, or pass content= to otel_llm.configure()",
    )


@pytest.mark.parametrize(
    ("capture", "content", "level"),
    [
        ("", "", Level.NOTE),
        ("EVENT_ONLY", "truncated", Level.WARNING),
        ("", "none", None),
        ("span_and_event", "full", None),
        ("true", "full", None),
    ],
)
def test_when_content_is_missed(environment: SetEnv, capture: str, content: str, level: Level | None) -> None:
    environment(**{CAPTURE: capture}, OTEL_LLM_LANGFUSE_CONTENT=content)
    told = [finding.level for finding in found(offline=True) if "prompts" in finding.what]
    assert told == ([level] if level else [])


def test_two_addresses_that_differ(environment: SetEnv) -> None:
    environment(LANGFUSE_HOST="https://elsewhere.example.com")
    assert found(offline=True)[0] == Finding(
        Level.WARNING, "LANGFUSE_HOST", "differs from LANGFUSE_BASE_URL, which is the one that counts", "Unset one of them"
    )


@pytest.mark.parametrize(("rate", "level"), [("0", Level.WARNING), ("0.25", Level.NOTE)])
def test_a_sample_rate_is_told(environment: SetEnv, rate: str, level: Level) -> None:
    environment(LANGFUSE_SAMPLE_RATE=rate)
    finding = found(offline=True)[0]
    assert (finding.level, finding.where) == (level, "LANGFUSE_SAMPLE_RATE")


def test_the_budget_is_told_with_its_forecast(environment: SetEnv) -> None:
    environment(OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS="1000")
    budget = budget_of(LangfuseSettings.load())
    assert budget is not None
    budget.count(900)
    (finding,) = found(offline=True)
    assert (finding.level, finding.where, finding.do) == (Level.WARNING, "langfuse budget", ADVICE)
    now = datetime.now(UTC)
    limit = 1_000 * calendar.monthrange(now.year, now.month)[1]
    assert finding.what.startswith("900 observations today (UTC), 0 yesterday, of 1,000 a day; about ")
    assert finding.what.endswith(f" this month, of {limit:,}")


def test_what_was_delivered_counts_and_what_was_refused_does_not(
    environment: SetEnv, fake: FakeLangfuse, make_span: MakeSpan
) -> None:
    environment(OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS="1000")
    settings = LangfuseSettings.load()
    destination = LangfuseDestination(settings)
    spans = [make_span({"gen_ai.operation.name": "chat"}, span_id=number) for number in (1, 2, 3)]
    records = [record for span in spans if (record := destination.encode(span)) is not None]
    fake.fail_next(503)
    fake.fail_next(400)
    for _ in range(3):
        destination.send(records[:2], timeout_s=5)
    destination.send(records[2:], timeout_s=5)
    destination.close()
    assert len(fake.observations) == 3
    assert forecast(account(settings)).today == 3


@pytest.mark.usefixtures("environment")
def test_without_a_limit_no_file_is_written(fake: FakeLangfuse, make_span: MakeSpan, tmp_path: Path) -> None:
    destination = LangfuseDestination(LangfuseSettings.load())
    record = destination.encode(make_span({"gen_ai.operation.name": "chat"}))
    assert record is not None
    destination.send([record], timeout_s=5)
    destination.close()
    assert len(fake.observations) == 1
    assert list(tmp_path.iterdir()) == []


def test_each_of_several_projects_is_asked(environment: SetEnv) -> None:
    with FakeLangfuse(public_key="pk-lf-acme") as acme:
        environment(
            OTEL_LLM_LANGFUSE_PROJECTS="acme",
            LANGFUSE_PUBLIC_KEY_ACME=acme.public_key,
            LANGFUSE_SECRET_KEY_ACME="sk-lf-wrong-0123456789",
            LANGFUSE_BASE_URL_ACME=acme.base_url,
        )
        findings = found()
    assert findings[2:5] == [RUNS, ACCEPTED, TAKEN]
    assert [(finding.level, finding.where) for finding in findings[5:]] == [
        (Level.OK, "langfuse.acme"),
        (Level.FAULT, f"{KEYS} of project 'acme'"),
    ]
