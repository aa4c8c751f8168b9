"""What the doctor finds about the disk queue: whether spans can wait there, and what became of those that did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_llm.delivery import Limits
from otel_llm.delivery.spool import DiskSpool, ProcessLock, SpoolPlace
from otel_llm.delivery.spool.inspect import Inspector
from otel_llm.doctor.disk_queue import queue_findings
from otel_llm.doctor.finding import Finding, Level


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpoolPlace:
    monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", str(tmp_path / "spool"))
    return SpoolPlace(tmp_path / "spool")


def write(place: SpoolPlace, records: Sequence[bytes], *, refused: bool = False) -> None:
    spool = DiskSpool(place, "https://host pk-lf-1", "w", max_bytes=10**9, max_age_s=3600)
    spool.append(records)
    batch = spool.next_batch(Limits())
    if refused and batch is not None:
        spool.settle(batch, [(record, "400") for record in batch.records])
    spool.close()


def test_a_place_where_it_can_be_made(place: SpoolPlace) -> None:
    told = f"nothing waits; it is begun with the first span, in {place.directory}"
    assert queue_findings() == [Finding(Level.OK, "disk queue", told)]
    assert not place.directory.exists()


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", "none")
    (finding,) = queue_findings()
    assert (finding.level, finding.what) == (
        Level.NOTE,
        "there is to be none: what is not delivered when a process ends is lost",
    )


def test_what_waits_with_nobody_to_send_it(place: SpoolPlace) -> None:
    write(place, [b"x", b"y"])
    told = f"2 span(s) wait in {place.directory}, and no process sends them"
    assert queue_findings() == [Finding(Level.NOTE, "disk queue", told, "Start the application, or run `otel-llm spool drain`")]


def test_what_waits_while_a_process_sends(place: SpoolPlace) -> None:
    write(place, [b"x"])
    leader = ProcessLock(place.lock("https://host pk-lf-1"))
    assert leader.acquire()
    assert queue_findings() == [Finding(Level.OK, "disk queue", f"1 span(s) wait in {place.directory}")]
    leader.release()


def test_what_was_refused_or_lost(place: SpoolPlace) -> None:
    write(place, [b"x", b"y"])
    Inspector(place).purge(["https://host pk-lf-1"], dead_only=False)
    write(place, [b"z"], refused=True)
    todo = "`otel-llm spool status` tells for whom and why"
    assert queue_findings() == [
        Finding(Level.OK, "disk queue", f"0 span(s) wait in {place.directory}"),
        Finding(Level.WARNING, "disk queue", "1 span(s) were refused for good, and are kept", todo),
        Finding(Level.WARNING, "disk queue", "2 span(s) were lost while they waited", todo),
    ]


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_directory_that_is_refused(place: SpoolPlace, mode: int) -> None:
    place.prepare()
    place.directory.chmod(mode)
    (finding,) = queue_findings()
    assert (finding.level, finding.do) == (Level.WARNING, "Until it can be used, spans wait in memory only")
    assert f"{place.directory} is writable by other users" in finding.what


def test_a_damaged_file(place: SpoolPlace) -> None:
    place.prepare()
    place.file.write_bytes(b"no database " * 1_000)
    (finding,) = queue_findings()
    assert (finding.level, f"{place.file} is damaged" in finding.what) == (Level.WARNING, True)


def test_a_file_that_cannot_be_written(place: SpoolPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place, [b"x"])
    monkeypatch.setattr("otel_llm.delivery.spool.reading.is_writable", lambda place: False)
    (finding,) = queue_findings()
    assert (finding.level, "cannot be written to by this user" in finding.what) == (Level.WARNING, True)
