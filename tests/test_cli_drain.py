"""``otel-llm spool drain`` tells what became of what waited: "delivered" is what was delivered."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.cli import drain as command
from otel_llm.cli.app import app
from otel_llm.cli.draining import Drained, drained
from otel_llm.delivery import Delivered, Limits, Outcome, Retry
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool import DiskSpool, ProcessLock, SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings
from otel_llm.delivery.spool.inspect import Inspector

Drain = Callable[..., Drained]


class Receiver:
    """A destination that does what a function says, before it answers."""

    name = "receiver"
    spool_key = "a"
    limits = Limits()

    def __init__(self, answer: Callable[[], Outcome] = Delivered) -> None:
        self.answer = answer

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        return self.answer()

    def close(self) -> None:
        pass


@pytest.fixture
def place(tmp_path: Path) -> SpoolPlace:
    return SpoolPlace(tmp_path / "spool")


def write(
    place: SpoolPlace, records: Sequence[bytes], *, destination: str = "a", deferred: bool = False, age_s: float = 0.0
) -> None:
    written_ms = int((time.time() - age_s) * 1000)
    spool = DiskSpool(place, destination, "w", max_bytes=10**9, max_age_s=3600, now_ms=lambda: written_ms)
    for record in records:
        spool.append([record], deferred=deferred)
    spool.close()


@pytest.fixture
def drain(place: SpoolPlace) -> Iterator[Drain]:
    """Drains into a receiver that behaves as given."""
    started: list[Delivery] = []

    def run(answer: Callable[[], Outcome] = Delivered, *, timeout_s: float = 30.0) -> Drained:
        started.append(Delivery(Receiver(answer), spool=SpoolSettings(place, max_age_s=3600)))
        (found,) = drained(Inspector(place), started, timeout_s, lambda left, total: None)
        return found

    yield run
    for delivery in started:
        delivery.shutdown(0.1)


def test_what_was_delivered(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x", b"y"])
    found = drain()
    assert found == Drained("receiver", delivered=2, refused=0, lost={}, left=0, reason=None, last_error=None)
    assert found.is_done


def test_what_was_too_old_is_lost_and_not_delivered(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"old", b"older"], age_s=7_200)
    write(place, [b"new"])
    found = drain()
    assert (found.delivered, found.lost, found.left, found.is_done) == (1, {"too old": 2}, 0, False)


def test_what_was_lost_before_does_not_count(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x"])
    Inspector(place).purge(["a"], dead_only=False)
    write(place, [b"y"])
    found = drain()
    assert (found.delivered, found.lost, found.is_done) == (1, {}, True)


def test_what_is_purged_meanwhile_is_lost(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x", b"y"])

    def purge() -> Outcome:
        Inspector(place).purge(["a"], dead_only=False)
        return Retry("down")

    found = drain(purge)
    assert (found.delivered, found.lost, found.left, found.is_done) == (0, {"purged": 2}, 0, False)


def test_what_was_in_a_file_that_is_set_aside_is_lost(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x" * 20_000] * 30)
    with closing(sqlite3.connect(place.file)) as database:
        (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'batch'").fetchone()
    with open(place.file, "r+b") as file:
        file.seek((root - 1) * 16_384)
        file.write(b"\xff" * 16_384)  # the bodies cannot be read any more; how many there are, can
    found = drain()
    assert (found.delivered, found.lost, found.left, found.is_done) == (0, {"damaged": 30}, 0, False)


def test_a_disk_that_cannot_be_read_at_the_end_is_not_empty(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x"])

    def spoil() -> Outcome:
        place.directory.chmod(0o777)
        return Retry("down")

    found = drain(spoil, timeout_s=1.0)
    place.directory.chmod(0o700)
    assert (found.delivered, found.left, found.is_done) == (0, None, False)
    assert found.reason is not None
    assert "writable by other users" in found.reason


def test_another_process_that_sends_is_the_reason(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x"])
    leader = ProcessLock(place.lock("a"))
    assert leader.acquire()
    assert drain(timeout_s=0.3).reason == "another process sends there, and was waited for"
    leader.release()


def test_no_answer_is_the_reason(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x"])
    release = threading.Event()

    def hang() -> Outcome:
        release.wait(30)
        return Retry("late")

    found = drain(hang, timeout_s=0.3)
    release.set()
    assert (found.left, found.reason) == (1, "no answer within 0.3 s")


def test_records_that_are_still_to_be_made_are_the_reason(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"form"], deferred=True)
    assert drain(timeout_s=0.3).reason == "1 of them were put off, and their records are still to be made"


def test_the_last_failure_is_the_reason(drain: Drain, place: SpoolPlace) -> None:
    write(place, [b"x"])
    assert drain(lambda: Retry("down"), timeout_s=1.0).reason == "down"


@pytest.fixture
def run(place: SpoolPlace, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command, with a Langfuse configured where nobody listens."""
    monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", str(place.directory))
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    monkeypatch.setenv("LANGFUSE_BASE_URL", "http://127.0.0.1:1")
    for name in ("INSFORGE_BASE_URL", "INSFORGE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["spool", "drain", *map(str, arguments)])


def found_by(monkeypatch: pytest.MonkeyPatch, *found: Drained) -> None:
    monkeypatch.setattr(command, "drained", lambda *_: list(found))


def test_losses_are_told_and_the_exit_status_says_so(
    run: Callable[..., Result], place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, [b"x"])
    found_by(monkeypatch, Drained("langfuse", 1, 0, {"too old": 2, "purged": 1_000}, 0, None, None))
    result = run()
    assert result.output.splitlines()[0] == (
        "langfuse: 1 span(s) delivered, 2 lost: too old, 1,000 lost: purged, nothing waits"
    )
    assert result.exit_code == 1
    result = run("--json")
    assert (result.exit_code, json.loads(result.stdout)["lost"]) == (1, {"too old": 2, "purged": 1_000})


def test_what_cannot_be_read_is_not_nothing(
    run: Callable[..., Result], place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, [b"x"])
    found_by(monkeypatch, Drained("langfuse", 0, 0, {}, None, "disk I/O error", None))
    result = run()
    assert result.output.splitlines()[0] == "langfuse: 0 span(s) delivered, what is left cannot be told (disk I/O error)"
    assert result.exit_code == 1
    assert json.loads(run("--json").stdout)["left"] == {"langfuse": None}


def test_progress_is_told_where_there_is_no_terminal(
    run: Callable[..., Result], place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_TELL_S", 0.0)
    write(place, [b"x"])

    def told(inspector: Inspector, deliveries: object, timeout_s: float, tell: Callable[[int, int], None]) -> list[Drained]:
        tell(1_999, 2_000)
        return [Drained("langfuse", 0, 0, {}, 0, None, None)]

    monkeypatch.setattr(command, "drained", told)
    result = run("--json")
    assert result.stderr == "1,999 of 2,000 span(s) wait\n"
    assert json.loads(result.stdout)["delivered"] == 0


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_refused_directory_is_not_an_empty_queue(run: Callable[..., Result], place: SpoolPlace, mode: int) -> None:
    place.prepare()
    place.directory.chmod(mode)
    result = run()
    assert result.exit_code == 1
    assert f"Run `chmod go-w {place.directory}`" in result.output


def test_a_link_is_not_an_empty_queue(run: Callable[..., Result], place: SpoolPlace) -> None:
    place.directory.symlink_to(place.directory.parent)
    assert (run().exit_code, "is not a directory" in run().output) == (1, True)


def test_a_variable_that_leaves_the_destination_out(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    result = run()
    assert result.exit_code == 1
    assert result.output == ("Error: OTEL_TRACES_EXPORTER leaves out langfuse: run this with OTEL_TRACES_EXPORTER=langfuse.\n")


def test_a_variable_that_leaves_one_of_two_out(
    run: Callable[..., Result], place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSFORGE_BASE_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("INSFORGE_API_KEY", "ik_1")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "insforge")
    write(place, [b"x"], destination="http://127.0.0.1:1 pk-lf-1")
    result = run()
    assert result.output.splitlines()[-1] == (
        "http://127.0.0.1:1 pk-lf-1: 1 span(s) wait, but OTEL_TRACES_EXPORTER leaves it out"
    )
    assert result.exit_code == 0


def test_faults_of_a_destination_that_is_left_out_do_not_matter(
    run: Callable[..., Result], place: SpoolPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "langfuse")
    monkeypatch.setenv("INSFORGE_BASE_URL", "no address")
    write(place, [b"x"], destination="elsewhere")
    result = run()
    assert result.output.splitlines()[-1] == "elsewhere: 1 span(s) wait, but the environment does not configure it"
    assert result.exit_code == 0


def test_a_damaged_file_is_told_with_what_to_do(run: Callable[..., Result], place: SpoolPlace) -> None:
    place.prepare()
    place.file.write_bytes(b"no database " * 1_000)
    result = run()
    assert result.exit_code == 1
    assert "The next application that records sets it aside and begins a new one. To do that now: rename" in result.output


def test_each_summary_is_whole(run: Callable[..., Result]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from otel_llm.cli import main; main()", "spool", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "..." not in told.partition("Commands:")[2]
