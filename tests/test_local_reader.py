"""Looking at the local store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llm.local import LocalStore
from otel_llm.local_reader import LocalReader, TraceLookupError
from otel_llm.local_span import StoredSpan


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "otel-llm" / "traces.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[LocalStore]:
    store = LocalStore(path)
    yield store
    store.close()


def record(span_id: int, trace_id: int = 1, start_s: int = 0) -> bytes:
    return StoredSpan(f"{trace_id:032x}", f"{span_id:016x}", None, "chat", start_s * 10**9, start_s * 10**9 + 1).to_json()


def test_a_store_that_is_not_there_is_empty_and_is_not_made_by_looking(path: Path) -> None:
    reader = LocalReader(path)
    assert (reader.recent(), reader.follow(0), reader.position()) == ([], ([], 0), 0)
    assert not path.parent.exists()


def test_recent_gives_the_traces_that_started_last_first(store: LocalStore, path: Path) -> None:
    store.send(
        [record(1, 1, start_s=30), record(2, 2, start_s=10), record(3, 3, start_s=20), record(4, 2, start_s=40)], timeout_s=5
    )
    assert [(trace.trace_id[-1], [span.span_id[-1] for span in trace.spans]) for trace in LocalReader(path).recent(2)] == [
        ("1", ["1"]),
        ("3", ["3"]),
    ]


def test_the_spans_of_a_trace_come_by_their_start(store: LocalStore, path: Path) -> None:
    store.send([record(1, start_s=30), record(2, start_s=10), record(3, start_s=20)], timeout_s=5)
    assert [span.span_id[-1] for span in LocalReader(path).trace("0").spans] == ["2", "3", "1"]


def test_a_trace_is_found_by_a_prefix_in_any_case_and_with_dashes(store: LocalStore, path: Path) -> None:
    store.send([record(1, 0xABC << 116), record(2, 0xABD << 116)], timeout_s=5)
    for wanted in ("abc", "ABC0-0000", "abc" + 29 * "0"):
        assert LocalReader(path).trace(wanted).trace_id == "abc" + 29 * "0"


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("ab", "Several traces have an id that starts with 'ab': abc0{29}, abd0{29}. Give more digits."),
        ("f", "No stored trace has an id that starts with 'f'."),
        ("%", "No stored trace"),
    ],
)
def test_a_prefix_of_none_or_of_several_is_an_error(store: LocalStore, path: Path, wanted: str, message: str) -> None:
    store.send([record(1, 0xABC << 116), record(2, 0xABD << 116)], timeout_s=5)
    with pytest.raises(TraceLookupError, match=message):
        LocalReader(path).trace(wanted)


def test_follow_goes_on_where_it_was(store: LocalStore, path: Path) -> None:
    reader = LocalReader(path)
    store.send([record(1)], timeout_s=5)
    position = reader.position()
    assert reader.follow(position) == ([], position)
    store.send([record(2), record(3)], timeout_s=5)
    spans, position = reader.follow(position)
    assert [span.span_id[-1] for span in spans] == ["2", "3"]
    assert reader.follow(position) == ([], position)


def test_a_damaged_row_is_passed_over(store: LocalStore, path: Path) -> None:
    store.send([record(1), record(2)], timeout_s=5)
    store._connected(5).execute("UPDATE span SET body = '{}' WHERE seq = 1")
    assert [span.span_id[-1] for span in LocalReader(path).trace("0").spans] == ["2"]
