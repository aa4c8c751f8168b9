"""The local store: what it keeps, for how long, for whom, and what it says when it cannot."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from otel_llm import semconv as sc
from otel_llm.delivery import Delivered, Limits, Pause, Retry, Split
from otel_llm.delivery.processor import DeliveryProcessor
from otel_llm.delivery.queue import Delivery
from otel_llm.local import LocalStore
from otel_llm.local_file import LocalFileError, default_path
from otel_llm.local_reader import LocalReader
from otel_llm.local_span import StoredEvent, StoredSpan, span_from_json

SECOND = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "otel-llm" / "traces.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    store = LocalStore(path)
    yield store
    store.close()


def context(span_id: int, trace_id: int = 1) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def record(span_id: int, trace_id: int = 1, start_s: float = 0, text: str = "") -> bytes:
    return stored(span_id, trace_id, start_s, text).to_json()


def stored(span_id: int, trace_id: int = 1, start_s: float = 0, text: str = "") -> StoredSpan:
    start_ns = int(start_s * SECOND)
    attributes = {sc.OPERATION_NAME: sc.CHAT, "text": text}
    return StoredSpan(f"{trace_id:032x}", f"{span_id:016x}", None, "chat", start_ns, start_ns + 1, attributes=attributes)


def size_of_files(path: Path) -> int:
    return path.stat().st_size


def test_a_span_is_kept_with_all_that_is_shown_of_it(store: LocalStore, path: Path) -> None:
    span = ReadableSpan(
        "chat gpt-4o",
        context=context(2),
        parent=context(1),
        resource=Resource({"service.name": "sales-bot"}),
        attributes={sc.OPERATION_NAME: sc.CHAT, sc.RESPONSE_FINISH_REASONS: ("stop",), sc.USAGE_INPUT_TOKENS: 12},
        events=[Event("exception", {"exception.type": "Timeout"}, timestamp=15)],
        status=Status(StatusCode.ERROR, "it took too long"),
        start_time=10,
        end_time=20,
        instrumentation_scope=InstrumentationScope("otel_llm"),
    )
    body = store.encode(span)
    assert body is not None
    assert store.send([body], timeout_s=5) == Delivered()
    assert LocalReader(path).trace("0" * 31 + "1").spans == (
        StoredSpan(
            trace_id="0" * 31 + "1",
            span_id="0" * 15 + "2",
            parent_id="0" * 15 + "1",
            name="chat gpt-4o",
            start_ns=10,
            end_ns=20,
            failed=True,
            description="it took too long",
            attributes={sc.OPERATION_NAME: "chat", sc.RESPONSE_FINISH_REASONS: ["stop"], sc.USAGE_INPUT_TOKENS: 12},
            events=(StoredEvent("exception", 15, {"exception.type": "Timeout"}),),
            scope="otel_llm",
            service="sales-bot",
        ),
    )


def test_a_span_outside_the_conventions_is_not_wanted(store: LocalStore) -> None:
    assert store.encode(ReadableSpan("GET /", context=context(1), attributes={"http.request.method": "GET"})) is None


@pytest.mark.parametrize(("stamp", "parent_id"), [("00000000000000aa", "00000000000000aa"), ("", None)])
def test_the_stamped_ancestor_goes_before_the_parent(store: LocalStore, stamp: str, parent_id: str | None) -> None:
    attributes = {sc.OPERATION_NAME: sc.CHAT, sc.ANCESTOR_ID: stamp}
    body = store.encode(ReadableSpan("chat", context=context(2), parent=context(1), attributes=attributes))
    assert body is not None
    assert span_from_json(body).parent_id == parent_id


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("lone \ud800 surrogate", "lone ? surrogate"),
        ("nul \x00 inside", "nul \x00 inside"),
        (float("nan"), None),
        (float("inf"), None),
        (b"\xff", "_w=="),
        (2**70, 2**70),
        ((1, "x"), [1, "x"]),
    ],
)
def test_values_that_json_finds_hard_do_not_lose_the_span(store: LocalStore, path: Path, value: object, kept: object) -> None:
    span = StoredSpan("a" * 32, "b" * 16, None, "chat", 1, 2, attributes={"value": value})
    assert store.send([span.to_json()], timeout_s=5) == Delivered()
    assert LocalReader(path).trace("a").spans[0].attributes == {"value": kept}


def test_a_repeated_record_is_stored_once(store: LocalStore, path: Path) -> None:
    store.send([record(1), record(2)], timeout_s=5)
    assert store.send([record(2), record(3)], timeout_s=5) == Delivered(duplicates=1)
    assert len(LocalReader(path).trace("0").spans) == 3


def test_the_oldest_traces_go_when_room_is_needed(path: Path) -> None:
    store = LocalStore(path, max_bytes=2_000_000)
    for trace in range(1, 101):
        for half in (1, 2):
            store.send([record(trace * 10 + half, trace, start_s=trace, text="x" * 25_000)], timeout_s=5)
    kept = LocalReader(path).recent(limit=1_000)
    store.close()
    assert size_of_files(path) <= 2_000_000 + 100_000
    assert [trace.trace_id for trace in kept] == [f"{number:032x}" for number in range(100, 100 - len(kept), -1)]
    assert len(kept) >= 25
    assert {len(trace.spans) for trace in kept} == {2}


def test_traces_go_when_they_are_too_old_and_their_room_is_given_back(path: Path) -> None:
    now = [1_000_000.0]
    store = LocalStore(path, max_age_s=100, clock=lambda: now[0])
    store.send([record(1, trace_id=1, start_s=now[0], text="x" * 500_000)], timeout_s=5)
    now[0] += 1_000
    store.send([record(2, trace_id=2, start_s=now[0])], timeout_s=5)
    store.close()
    assert [trace.trace_id for trace in LocalReader(path).recent()] == [f"{2:032x}"]
    assert size_of_files(path) < 200_000


def test_a_record_larger_than_the_store_is_refused_alone(path: Path) -> None:
    store = LocalStore(path, max_bytes=100_000)
    assert isinstance(store.send([record(1, text="x" * 200_000)], timeout_s=5), Split)


def test_a_record_that_is_no_span_is_refused_and_the_store_goes_on(store: LocalStore) -> None:
    assert isinstance(store.send([b"not json"], timeout_s=5), Split)
    assert isinstance(store.send([b"{}"], timeout_s=5), Split)
    assert store.send([record(1)], timeout_s=5) == Delivered()


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_file_and_directory_are_for_this_user_alone(store: LocalStore, path: Path) -> None:
    store.send([record(1)], timeout_s=5)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_file_that_others_could_read_is_closed_to_them(store: LocalStore, path: Path) -> None:
    store.send([record(1)], timeout_s=5)
    store.close()
    path.chmod(0o644)
    store.send([record(2)], timeout_s=5)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_directory_writable_by_all_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    outcome = LocalStore(tmp_path / "traces.sqlite3").send([record(1)], timeout_s=5)
    assert outcome == Pause(
        f"{tmp_path} is writable by other users, and what is kept there can hold prompts. Run `chmod go-w {tmp_path}` to keep what "
        "is in it. Or else: Set OTEL_LLM_LOCAL_STORE to a file in a directory of your own."
    )


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "traces.sqlite3").symlink_to(tmp_path / "target")
    outcome = LocalStore(tmp_path / "traces.sqlite3").send([record(1)], timeout_s=5)
    assert isinstance(outcome, Pause)
    assert "is not a regular file of this user" in outcome.reason


def test_a_path_that_cannot_be_made_pauses_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "otel-llm" / "traces.sqlite3"
    outcome = LocalStore(path).send([record(1)], timeout_s=5)
    assert outcome == Pause(
        f"{path} cannot be written (Not a directory). Make it writable or remove it, or set OTEL_LLM_LOCAL_STORE to another file."
    )


@pytest.mark.parametrize("content", [b"my notes, not a database, but long enough to have a header" * 20], ids=["text"])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert isinstance(LocalStore(path).send([record(1)], timeout_s=5), Pause)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    outcome = LocalStore(path).send([record(1)], timeout_s=5)
    assert outcome == Pause(
        f"{path} is another program's database and is left alone. Set OTEL_LLM_LOCAL_STORE to another file."
    )
    with pytest.raises(LocalFileError, match="another program's database"):
        LocalReader(path).recent()


def test_a_store_of_another_version_is_left_alone(store: LocalStore, path: Path) -> None:
    store.send([record(1)], timeout_s=5)
    store._connected(5).execute("PRAGMA user_version = 99")
    store.close()
    outcome = store.send([record(2)], timeout_s=5)
    assert isinstance(outcome, Pause)
    assert "another version of otel-llm (99)" in outcome.reason


def test_a_store_in_use_by_another_process_is_tried_again(store: LocalStore, path: Path) -> None:
    store.send([record(1)], timeout_s=5)
    store.close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcome = store.send([record(2)], timeout_s=0.01)
    assert isinstance(outcome, Retry)
    other.execute("ROLLBACK")
    other.close()
    assert store.send([record(2)], timeout_s=5) == Delivered()


def test_a_removed_file_is_made_again(store: LocalStore, path: Path) -> None:
    store.send([record(1)], timeout_s=5)
    for file in path.parent.iterdir():
        file.unlink()
    assert store.send([record(2)], timeout_s=5) == Delivered()
    assert [span.span_id for span in LocalReader(path).trace("0").spans] == [f"{2:016x}"]


def test_several_processes_write_to_the_same_file(path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from otel_llm.delivery import Delivered
from otel_llm.local import LocalStore
from otel_llm.local_span import StoredSpan
store, now = LocalStore(Path(sys.argv[1])), time.time_ns()
for number in range(50):
    record = StoredSpan("a" * 32, f"{int(sys.argv[2]) * 1000 + number:016x}", None, "chat", now, now).to_json()
    while store.send([record], timeout_s=5) != Delivered():
        pass
store.close()
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), str(number)]) for number in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(LocalReader(path).trace("a").spans) == 150


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_opens_the_file_for_itself(path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from otel_llm.delivery import Delivered
from otel_llm.local import LocalStore
from otel_llm.local_span import StoredSpan
def record(number):
    return StoredSpan("a" * 32, f"{number:016x}", None, "chat", number, number).to_json()
store = LocalStore(Path(sys.argv[1]))
assert store.send([record(1)], timeout_s=5) == Delivered()
inherited = store._connection
child = os.fork()
if child == 0:
    assert store.send([record(2)], timeout_s=5) == Delivered()
    assert store._connection is not inherited
    inherited.total_changes  # raises if it has been closed
    store.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert store.send([record(3)], timeout_s=5) == Delivered()
assert store._connection is inherited
store.close()
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert len(LocalReader(path).trace("a").spans) == 3


def test_spans_reach_the_store_through_a_delivery(path: Path) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(DeliveryProcessor(Delivery(LocalStore(path))))
    tracer = provider.get_tracer("otel_llm")
    with tracer.start_as_current_span("GET /"), tracer.start_as_current_span("chat", attributes={sc.OPERATION_NAME: sc.CHAT}):
        pass
    provider.shutdown()
    (trace,) = LocalReader(path).recent()
    assert [span.name for span in trace.spans] == ["chat"]


def test_a_store_may_be_closed_by_another_thread(store: LocalStore) -> None:
    worker = threading.Thread(target=lambda: store.send([record(1)], timeout_s=5))
    worker.start()
    worker.join()
    store.close()


def test_it_keeps_to_the_limits_of_a_batch(store: LocalStore) -> None:
    assert (store.name, store.limits) == ("local", Limits(max_records=512, max_bytes=3_000_000))


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"OTEL_LLM_LOCAL_STORE": "/data/t.sqlite3", "XDG_STATE_HOME": "/state"}, "/data/t.sqlite3"),
        ({"XDG_STATE_HOME": "/state"}, "/state/otel-llm/traces.sqlite3"),
        ({"XDG_STATE_HOME": "relative"}, "/home/me/.local/state/otel-llm/traces.sqlite3"),
        ({}, "/home/me/.local/state/otel-llm/traces.sqlite3"),
        ({"OTEL_LLM_LOCAL_STORE": "~/t.sqlite3"}, "/home/me/t.sqlite3"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="paths of POSIX")
def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], path: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_path(environ) == Path(path)


def test_without_a_home_directory_it_says_what_to_set() -> None:
    outcome = LocalStore(Path("~/.local/state/otel-llm/traces.sqlite3")).send([record(1)], timeout_s=5)
    assert outcome == Pause(
        "There is no home directory for the files of otel-llm. Set OTEL_LLM_LOCAL_STORE to a file in a directory of your own."
    )
