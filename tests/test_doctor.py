"""``otel-llm doctor``: all checks together, as text and as JSON, against servers that are fine or not; no secret in any of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.cli.app import app
from otel_llm.delivery import Limits, Outcome, Pause
from otel_llm.delivery.queue import Delivery
from otel_llm.doctor import Finding, Level
from otel_llm.doctor.installed import Installed
from otel_llm.doctor.running import run_all
from otel_llm.doctor.secrets import redacted, secrets_of
from otel_llm.testing import FakeInsForge, FakeLangfuse
from otel_llm.testing.server import LoopbackServer, Request, Response

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
SECRET = "sk-lf-5ecre7-5ecre7"
API_KEY = "ik_5ecre7-5ecre7"
PASSWORD = "pa55w0rd-5ecre7"
STEP = {"opentelemetry-api": "1.45.1", "opentelemetry-sdk": "1.45.1", "genai-prices": "0.2.3"}

Run = Callable[..., Result]


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse(secret_key=SECRET) as server:
        yield server


@pytest.fixture
def insforge() -> Iterator[FakeInsForge]:
    with FakeInsForge(api_key=API_KEY) as server:
        yield server


@pytest.fixture(autouse=True)
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, langfuse: FakeLangfuse, insforge: FakeInsForge
) -> pytest.MonkeyPatch:
    """An application with both destinations, content recorded, and nothing odd installed."""
    import os

    for name in list(os.environ):
        if name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_")):
            monkeypatch.delenv(name)
    ours = {"OTEL_LLM_STATE_DIR": str(tmp_path / "s"), "OTEL_LLM_LOCAL_STORE": str(tmp_path / "s" / "t"), CAPTURE: "SPAN_ONLY"}
    for name, value in {**langfuse.environment, **insforge.environment, **ours}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS", "10000")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr("otel_llm.doctor.examination.read_installed", lambda: Installed(STEP))
    return monkeypatch


@pytest.fixture
def run() -> Run:
    """Runs the command; whatever it prints, no secret is in it."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, ["doctor", *arguments])
        assert not any(secret in result.output for secret in ("5ecre7", "pk-lf-fake"))
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return invoke


def bad(result: Result) -> list[tuple[str, str]]:
    """Level and place of what is not fine, from the JSON form."""
    found = json.loads(result.stdout)["findings"]
    return [(finding["level"], finding["where"]) for finding in found if finding["level"] in ("warning", "fault")]


def test_all_is_fine(run: Run, langfuse: FakeLangfuse, insforge: FakeInsForge, tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "ok       settings: those of otel-llm are valid",
        "ok       destinations: spans go to insforge, langfuse",
        "ok       opentelemetry: 1.45.1, all distributions of one release",
        "ok       prices: genai-prices 0.2.3",
        "ok       state directory: its files can be written",
        f"ok       disk queue: nothing waits; it is begun with the first span, in {tmp_path / 's' / 'spool'}",
        "ok       insforge: pipeline_traces can be read at 127.0.0.1, with all its columns",
        "ok       insforge: pipeline_spans can be read at 127.0.0.1, with all its columns",
        "ok       langfuse budget: 0 observations today (UTC), 0 yesterday, of 10,000 a day; about 0 this month, of "
        + result.stdout.partition("this month, of ")[2].partition("\n")[0],
        "ok       langfuse: 127.0.0.1 runs Langfuse 4.16.0",
        "ok       langfuse: the keys are accepted, for project 'fake'",
        "ok       langfuse: spans are taken",
        "",
        "Nothing is wrong.",
    ]
    assert langfuse.observations == []
    assert insforge.rows("pipeline_traces") == []


def test_the_machine_form_has_counts_and_findings(run: Run) -> None:
    result = run("--json", "--offline")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert {name: told[name] for name in ("faults", "warnings", "notes", "ok")} == {
        "faults": 0,
        "warnings": 0,
        "notes": 0,
        "ok": 7,
    }
    assert told["findings"][0] == {"level": "ok", "where": "settings", "what": "those of otel-llm are valid", "do": ""}


def test_offline_asks_no_server(run: Run, langfuse: FakeLangfuse, insforge: FakeInsForge) -> None:
    langfuse.stop()
    insforge.stop()
    assert run("--offline").exit_code == 0
    assert bad(run("--json")) == [("fault", "INSFORGE_BASE_URL"), ("fault", "LANGFUSE_BASE_URL")]


class Redirecting(LoopbackServer):
    def answer(self, request: Request) -> Response:
        return Response(302, {"Location": f"https://sso.example.com/?token={SECRET}"})


class Page(LoopbackServer):
    def answer(self, request: Request) -> Response:
        return Response(200, {"Content-Type": "text/html"}, b"<html>Welcome</html>")


def skewed(request: Request) -> Response | None:
    if not request.path.endswith("/health"):
        return None
    return Response.json({"status": "OK", "version": "4.16.0"}, headers={"Date": formatdate(time.time() + 300, usegmt=True)})


@pytest.mark.parametrize(
    ("variables", "expected", "status"),
    [
        ({"LANGFUSE_SECRET_KEY": "sk-lf-wrong-5ecre7"}, [("fault", "LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY")], 1),
        ({"INSFORGE_API_KEY": "ik_wrong-5ecre7"}, [("fault", "INSFORGE_API_KEY")], 1),
        ({"LANGFUSE_BASE_URL": "http://127.0.0.1:1"}, [("warning", "LANGFUSE_HOST"), ("fault", "LANGFUSE_BASE_URL")], 1),
        ({"LANGFUSE_BASE_URL": "http://langfuse.invalid", "LANGFUSE_HOST": ""}, [("fault", "LANGFUSE_BASE_URL")], 1),
        ({CAPTURE: "true"}, [("fault", CAPTURE)], 1),
        ({CAPTURE: "NO_CONTENT", "OTEL_LLM_LANGFUSE_CONTENT": "full"}, [("warning", "langfuse")], 0),
        ({CAPTURE: "NO_CONTENT", "OTEL_LLM_LEGACY_CONTENT": "true"}, [("warning", "insforge")], 0),
        ({"OTEL_SDK_DISABLED": "true"}, [("warning", "OTEL_SDK_DISABLED")], 0),
        ({"LANGFUSE_SECRET_KEY": ""}, [("fault", "LANGFUSE_SECRET_KEY")], 1),
        ({"OTEL_LLM_LEGACY_DATABASE_URL": f"mysql://me:{PASSWORD}@host/x"}, [("fault", "OTEL_LLM_LEGACY_DATABASE_URL")], 1),
    ],
)
def test_one_thing_wrong_gives_its_finding(
    run: Run,
    environment: pytest.MonkeyPatch,
    variables: dict[str, str],
    expected: list[tuple[str, str]],
    status: int,
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)
    result = run("--json")
    assert (bad(result), result.exit_code) == (expected, status)
    told = [
        line.partition(":")[0].split(None, 1) for line in run().stdout.splitlines() if line.startswith(("fault", "warning"))
    ]
    assert sorted(map(tuple, told)) == sorted(expected)


@pytest.mark.parametrize("server", [Redirecting, Page])
def test_a_server_that_is_not_the_one_expected(run: Run, environment: pytest.MonkeyPatch, server: type[LoopbackServer]) -> None:
    with server() as other:
        for name in ("LANGFUSE_BASE_URL", "LANGFUSE_HOST", "INSFORGE_BASE_URL"):
            environment.setenv(name, other.base_url)
        assert bad(run("--json")) == [("fault", "INSFORGE_BASE_URL"), ("fault", "LANGFUSE_BASE_URL")]
        run()


def test_an_old_server_and_a_skewed_clock(run: Run, langfuse: FakeLangfuse) -> None:
    langfuse.version = "3.120.0"
    assert bad(run("--json")) == [("warning", "langfuse")]
    langfuse.behaviour = skewed
    assert bad(run("--json")) == [("warning", "clock")]
    assert "warning  clock: this machine's clock is 300 s behind that of 127.0.0.1" in run().stdout


def test_double_instrumentation(run: Run, environment: pytest.MonkeyPatch) -> None:
    both = ("openinference-instrumentation-openai", "opentelemetry-instrumentation-genai-openai")
    here = Installed({**STEP, **dict.fromkeys(both, "1.0")}, {"openai": both})
    environment.setattr("otel_llm.doctor.examination.read_installed", lambda: here)
    result = run("--json", "--offline")
    assert (bad(result), result.exit_code) == ([("warning", "openai")], 0)
    told = json.loads(result.stdout)["findings"]
    assert [finding["where"] for finding in told if finding["level"] == "note"] == list(both)
    assert "-> Keep one of them, or disable them all by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=openai" in run("--offline").stdout


class Collector(LoopbackServer):
    """Takes exports of whoever has the token."""

    def answer(self, request: Request) -> Response:
        if request.headers.get("x-token") != "t0ken-5ecre7":
            return Response(401)
        return Response(200) if request.path == "/v1/traces" else Response(404)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "x-token=wrong-5ecre7"}, [("fault", "OTEL_EXPORTER_OTLP_HEADERS")]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{base}/elsewhere"}, [("fault", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, [("fault", "OTEL_EXPORTER_OTLP_ENDPOINT")]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "localhost"}, [("fault", "OTEL_EXPORTER_OTLP_ENDPOINT")]),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, []),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            [("fault", "OTEL_EXPORTER_OTLP_ENDPOINT")],
        ),
    ],
)
def test_a_plain_otlp_exporter_beside(
    run: Run, environment: pytest.MonkeyPatch, variables: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    with Collector() as collector:
        named = {"OTEL_TRACES_EXPORTER": "langfuse,insforge,otlp", "OTEL_EXPORTER_OTLP_HEADERS": "x-token=t0ken-5ecre7"}
        for name, value in {**named, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.base_url, **variables}.items():
            environment.setenv(name, value.format(base=collector.base_url))
        assert bad(run("--json")) == expected


def test_langfuse_twice_is_a_warning(run: Run, environment: pytest.MonkeyPatch, langfuse: FakeLangfuse) -> None:
    environment.setenv("OTEL_TRACES_EXPORTER", "langfuse,insforge,otlp")
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{langfuse.base_url}/api/public/otel")
    environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20cGstbGYtZmFrZTpzay1sZi01ZWNyZTctNWVjcmU3")
    assert bad(run("--json")) == [("warning", "OTEL_EXPORTER_OTLP_ENDPOINT")]


def test_a_check_that_hangs_or_breaks_is_a_fault_and_hides_no_other() -> None:
    release = threading.Event()
    hanging: list[threading.Thread] = []

    def hangs() -> Sequence[Finding]:
        hanging.append(threading.current_thread())
        release.wait()
        return []

    def breaks() -> Sequence[Finding]:
        raise RuntimeError(SECRET)

    fine = Finding(Level.OK, "fine", "is fine")
    found = run_all({"hangs": hangs, "breaks": breaks, "fine": lambda: [fine], "silent": list}, timeout_s=0.2)
    release.set()
    assert [(finding.level, finding.where) for finding in found] == [
        (Level.FAULT, "hangs"),
        (Level.FAULT, "breaks"),
        (Level.OK, "fine"),
    ]
    assert SECRET not in str(found)
    assert [thread.daemon for thread in hanging] == [True]


def test_a_server_that_never_answers_is_not_waited_for(run: Run, langfuse: FakeLangfuse) -> None:
    release = threading.Event()

    def wait(request: Request) -> None:
        release.wait(30)

    langfuse.behaviour = wait
    assert bad(run("--json", "--timeout", "0.5")) in ([("fault", "LANGFUSE_BASE_URL")], [("fault", "langfuse")])
    release.set()


class Refusing:
    """A destination whose key is wrong."""

    name = "refusing"
    limits = Limits()

    def encode(self, span: ReadableSpan) -> bytes | None:
        return b"record"

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        return Pause("the key is not accepted")

    def close(self) -> None:
        pass


def test_the_line_of_a_paused_destination_points_here(caplog: pytest.LogCaptureFixture) -> None:
    delivery = Delivery(Refusing())
    delivery.offer(ReadableSpan("chat"))
    assert not delivery.flush(10)
    assert any(
        "the key is not accepted" in record.getMessage() and "`otel-llm doctor`" in record.getMessage()
        for record in caplog.records
    )
    delivery.shutdown(1)


NAMES = st.sampled_from(
    ["LANGFUSE_SECRET_KEY", "INSFORGE_API_KEY", "MY_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_LLM_LEGACY_DATABASE_URL"]
)
LETTERS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=30)


@given(name=NAMES, secret=LETTERS, around=st.text(max_size=20))
def test_no_secret_passes_the_last_guard(name: str, secret: str, around: str) -> None:
    values: dict[str, str] = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20x,x-key={secret}",
        "OTEL_LLM_LEGACY_DATABASE_URL": f"postgresql://me:{secret}@host/x",
    }
    environ: dict[str, Any] = {name: values.get(name, secret), "PROXY": f"http://user:{secret}@proxy"}
    leaky = Finding(Level.FAULT, name, f"{around}{secret}{around}", f"do {secret}")
    assert secret not in str(redacted([leaky], secrets_of(environ)))


def test_ordinary_words_are_not_masked() -> None:
    finding = Finding(Level.OK, "langfuse", "true and Basic and otlp stay")
    assert redacted([finding], secrets_of({"USE_TOKEN": "true", "AUTH_KIND": "Basic", "OTEL_TRACES_EXPORTER": "otlp"})) == [
        finding
    ]


def test_the_help_says_what_it_is_for(run: Run) -> None:
    text = run("--help").stdout
    assert "why calls, prompts, tokens or cost are missing" in text
    assert "Exit status: 0 without faults, 1 with." in text
