"""``docs/delivery.md`` says what is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from otel_llm.cli.app import app
from otel_llm.delivery import Delivered, Outcome, Pause, Retry, Split, metrics, queue
from otel_llm.delivery.encoder import STRIP_FROM
from otel_llm.delivery.exporter import SHUTDOWN_MILLIS
from otel_llm.delivery.sender import PAUSE_S
from otel_llm.delivery.spool import Overflow, dead_letters
from otel_llm.settings import Settings
from otel_llm_insforge.answers import classify
from otel_llm_langfuse.answers import outcome_of

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "delivery.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading this is."""
    table = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("number", range(3))
def test_the_python_of_the_page_runs(number: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[number]],
        env={"OTEL_LLM_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_all_python_of_the_page_is_run() -> None:
    assert len(blocks("python")) == 3


@pytest.mark.parametrize(
    "command", re.findall(r"`otel-llm (spool [^`]+)`", PAGE) + re.findall(r"^otel-llm (spool .+)$", PAGE, re.MULTILINE)
)
def test_each_command_is_one(command: str) -> None:
    options = [word for word in shlex.split(command) if word.startswith("-")]
    result = CliRunner().invoke(app, [*shlex.split(command)[:2], "--help"])
    assert result.exit_code == 0
    assert [option for option in options if option not in result.output] == []


def test_the_hook_of_kubernetes_is_the_command() -> None:
    (told,) = re.findall(r"command: \[(.+)\]", *blocks("yaml"))
    assert [word.strip().strip('"') for word in told.split(",")] == ["otel-llm", "spool", "drain", "--timeout", "20"]


def test_the_variables_and_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in rows("variable"):
        monkeypatch.delenv(row[0].strip("`"), raising=False)
    settings = Settings()
    told = {name.strip("`"): default.strip("`") for name, default, _ in rows("variable")}
    assert told == {
        "OTEL_LLM_SPOOL_DIR": told["OTEL_LLM_SPOOL_DIR"],
        "OTEL_LLM_SPOOL_MAX_BYTES": str(settings.spool_max_bytes),
        "OTEL_LLM_SPOOL_MAX_AGE": f"{settings.spool_max_age_s:.0f}",
        "OTEL_LLM_SPOOL_OVERFLOW": settings.spool_overflow.value,
        "OTEL_LLM_STATE_DIR": told["OTEL_LLM_STATE_DIR"],
        "OTEL_LLM_QUEUE_MAX_BYTES": str(settings.queue_max_bytes),
        "OTEL_LLM_QUEUE_MAX_SPANS": str(settings.queue_max_spans),
        "OTEL_LLM_SEND_TIMEOUT": f"{settings.send_timeout_s:.0f}",
    }


def test_the_policies() -> None:
    assert [row[0].strip("`") for row in rows("policy")] == [policy.value for policy in Overflow]
    assert (queue.FULL_WAIT_S, queue.BLOCK_WAIT_S) == (0.5, 1.0)


def test_the_figures() -> None:
    assert (STRIP_FROM, PAUSE_S, SHUTDOWN_MILLIS) == (0.9, 60.0, 5_000.0)
    assert (dead_letters._MOST, dead_letters._MOST_BYTES, dead_letters._PART) == (10_000, 64 * 1024 * 1024, 0.25)


def test_the_instruments() -> None:
    kinds = [("counter", metrics._COUNTERS), ("gauge", metrics._GAUGES)]
    assert [row[:2] for row in rows("instrument")] == [
        [f"`otel_llm.delivery.{name}`", f"{kind}, `{unit}`"] for kind, found in kinds for name, unit, _, _ in found
    ]


LANGFUSE: dict[int, type[Outcome]] = {  # type: ignore[valid-type]  # a union of classes
    **dict.fromkeys((200, 207), Delivered),
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504), Retry),
    **dict.fromkeys((400, 413, 422), Split),
    **dict.fromkeys((301, 302, 307, 401, 403, 404, 405), Pause),
}


@pytest.mark.parametrize("status", LANGFUSE)
def test_what_langfuses_answers_mean(status: int) -> None:
    assert type(outcome_of(httpx.Response(status))) is LANGFUSE[status]
    words = f"{status // 100}xx" if status in (200, 207) or status >= 500 else str(status)
    meant = {Delivered: "delivered", Retry: "tried again", Split: "halved", Pause: "pauses"}[LANGFUSE[status]]
    assert [meant in told for answers, told in rows("Langfuse answers") if words in answers] == [True]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, b"[]", Delivered),
        (201, b"", Delivered),
        (503, b"", Retry),
        (429, b"{}", Retry),
        (500, b'{"error": "INTERNAL_ERROR", "code": "40P01"}', Retry),
        (413, b"", Split),
        (500, b'{"message": "request entity too large"}', Split),
        (400, b'{"code": "22P02"}', Split),
        (401, b"{}", Pause),
        (403, b"{}", Pause),
        (404, b'{"code": "PGRST205"}', Pause),
        (200, b"<html>", Pause),
    ],
)
def test_what_insforges_answers_mean(status: int, body: bytes, outcome: type) -> None:
    assert type(classify(status, {}, body)) is outcome
