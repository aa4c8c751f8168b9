"""``otel-llm traces``: the local store in the terminal and as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from otel_llm import semconv as sc
from otel_llm.cli.traces import traces
from otel_llm.local import LocalStore
from otel_llm.local_span import StoredSpan

STRATEGY, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf9aaaa77b34da6a3ce929d0e0e4736"
#: 2026-11-20 12:00:00 UTC.
NOON_NS = 1_795_176_000 * 10**9
MS = 10**6
Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "traces.sqlite3"
    monkeypatch.setenv("OTEL_LLM_LOCAL_STORE", str(path))
    return path


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def run(path: Path) -> Run:
    return lambda *arguments: CliRunner().invoke(traces, arguments)


def span(
    number: int, name: str, *, below: int | None = None, ms: float = 0.0, error: str | None = None, **more: object
) -> StoredSpan:
    """A span that starts ``number`` seconds after noon. ``more``: attributes by the last part of their constant's name."""
    start_ns = NOON_NS + number * 10**9
    attributes = {sc.OPERATION_NAME: name.split()[0]} | {getattr(sc, key): value for key, value in more.items()}
    parent = None if below is None else f"{below:016x}"
    end_ns = start_ns + int(ms * MS)
    return StoredSpan(
        STRATEGY,
        f"{number:016x}",
        parent,
        name,
        start_ns,
        end_ns,
        failed=error is not None,
        description=error,
        attributes=attributes,
    )


def support_trace() -> list[StoredSpan]:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "How do I answer?\n\x1b[31mUrgent."}]}]
    answer = [{"role": "assistant", "parts": [{"type": "tool_call", "name": "search", "arguments": {"q": "refund"}}]}]
    chat = span(
        3,
        "chat gpt-4o",
        below=2,
        ms=1_240,
        PROVIDER_NAME="openai",
        REQUEST_MODEL="gpt-4o",
        RESPONSE_MODEL="gpt-4o-2024-11-20",
        USAGE_INPUT_TOKENS=1_204,
        USAGE_OUTPUT_TOKENS=56,
        USAGE_COST=0.0123,
        RESPONSE_TIME_TO_FIRST_CHUNK=0.31,
        SYSTEM_INSTRUCTIONS=json.dumps([{"type": "text", "content": "Be kind."}]),
        INPUT_MESSAGES=json.dumps(messages),
        OUTPUT_MESSAGES=json.dumps(answer),
    )
    failed = span(
        4,
        "chat house-1",
        below=2,
        ms=12,
        error="come back later",
        PROVIDER_NAME="house",
        REQUEST_MODEL="house-1",
        ERROR_TYPE="RateLimit",
    )
    return [
        span(1, "invoke_workflow support", ms=65_000),
        span(2, "invoke_agent strategist", below=1, ms=2_500, AGENT_NAME="strategist"),
        chat,
        failed,
    ]


def store(path: Path, *spans: StoredSpan) -> None:
    local = LocalStore(path)
    local.send([each.to_json() for each in spans], timeout_s=5)
    local.close()


def test_an_empty_store_says_what_to_do_next(run: Run, path: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith(f"No traces in {path} yet.\n\nNext: run `otel-llm demo`, or in your application\n")


def test_recent_traces_are_listed_as_trees(run: Run, path: Path) -> None:
    store(path, *support_trace())
    assert (
        run().stdout
        == """\
4bf92f35  2026-11-20 12:00:01  2 calls  1,204 in / 56 out  $0.0123  1 failed
invoke_workflow support  1 min 5 s
└── invoke_agent strategist  2.50 s
    ├── chat gpt-4o  openai  gpt-4o-2024-11-20  1,204 in / 56 out  $0.0123  first token 310 ms  1.24 s
    └── chat house-1  house  12 ms  error: RateLimit: come back later

"""
    )


def test_one_trace_is_shown_whole_with_its_messages(run: Run, path: Path) -> None:
    store(path, *support_trace())
    assert (
        run("4bf92f").stdout
        == """\
4bf92f3577b34da6a3ce929d0e0e4736  2026-11-20 12:00:01  2 calls  1,204 in / 56 out  $0.0123  1 failed
invoke_workflow support  1 min 5 s
└── invoke_agent strategist  2.50 s
    ├── chat gpt-4o  openai  gpt-4o-2024-11-20  1,204 in / 56 out  $0.0123  first token 310 ms  1.24 s
    │   ├── system: Be kind.
    │   ├── user: How do I answer? [31mUrgent.
    │   └── assistant: [tool_call search {"q": "refund"}]
    └── chat house-1  house  12 ms  error: RateLimit: come back later

"""
    )


def test_json_has_the_facts_of_each_call_under_stable_keys(run: Run, path: Path) -> None:
    store(path, *support_trace())
    assert json.loads(run("--json").stdout) == [
        {
            "trace_id": STRATEGY,
            "span_id": "0000000000000003",
            "name": "chat gpt-4o",
            "started": "2026-11-20T12:00:03+00:00",
            "agent": "strategist",
            "provider": "openai",
            "model": "gpt-4o-2024-11-20",
            "operation": "chat",
            "input_tokens": 1_204,
            "output_tokens": 56,
            "cost_usd": 0.0123,
            "ttft_ms": 310.0,
            "duration_ms": 1_240.0,
            "error": None,
        },
        {
            "trace_id": STRATEGY,
            "span_id": "0000000000000004",
            "name": "chat house-1",
            "started": "2026-11-20T12:00:04+00:00",
            "agent": "strategist",
            "provider": "house",
            "model": "house-1",
            "operation": "chat",
            "input_tokens": None,
            "output_tokens": None,
            "cost_usd": None,
            "ttft_ms": None,
            "duration_ms": 12.0,
            "error": "RateLimit: come back later",
        },
    ]


def test_json_of_an_empty_store_is_an_empty_array(run: Run) -> None:
    assert json.loads(run("--json").stdout) == []


def test_the_limit_counts_traces_latest_first(run: Run, path: Path) -> None:
    later = StoredSpan(
        OTHER, "a" * 16, None, "chat later", NOON_NS + 10**12, NOON_NS + 10**12, attributes={sc.OPERATION_NAME: "chat"}
    )
    store(path, *support_trace(), later)
    assert run("--limit", "1").stdout.splitlines() == ["4bf9aaaa  2026-11-20 12:16:40  1 call", "chat later  0 ms", ""]


def test_ids_are_shown_as_far_as_it_takes_to_tell_them_apart(run: Run, path: Path) -> None:
    ids = ("4bf92f3577000000", "4bf92f3577100000")
    store(path, *(StoredSpan(trace_id * 2, "a" * 16, None, "chat", NOON_NS, NOON_NS) for trace_id in ids))
    assert {line.split()[0] for line in run().stdout.splitlines() if line} == {"4bf92f35770", "4bf92f35771"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("beef", "No stored trace has an id that starts with 'beef'."),
        ("4bf9", "Several traces have an id that starts with '4bf9': "),
    ],
)
def test_an_id_of_no_trace_or_of_several_is_an_error(run: Run, path: Path, wanted: str, message: str) -> None:
    store(path, *support_trace(), StoredSpan(OTHER, "a" * 16, None, "chat", NOON_NS, NOON_NS))
    result = run(wanted)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {message}")


def test_a_file_that_is_no_store_is_an_error(run: Run, path: Path) -> None:
    path.write_text("something else, and long enough to be looked at as a database " * 20)
    result = run()
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path} cannot be read: ")


def test_an_id_cannot_be_followed(run: Run) -> None:
    assert run("--follow", "4bf9").exit_code == 2


@pytest.fixture
def three_polls(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """While the command waits, two spans are stored one after the other; then it is interrupted."""
    left = support_trace()[2:]

    def sleep(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        store(path, left.pop(0))

    monkeypatch.setattr("otel_llm.cli.traces.time", SimpleNamespace(sleep=sleep))


@pytest.mark.usefixtures("three_polls")
def test_following_prints_what_there_is_and_then_each_span_as_it_is_stored(run: Run, path: Path) -> None:
    store(path, *support_trace()[:2])
    result = run("--follow")
    assert result.exit_code == 0
    assert (
        result.stdout
        == """\
4bf92f35  2026-11-20 12:00:01  0 calls
invoke_workflow support  1 min 5 s
└── invoke_agent strategist  2.50 s

2026-11-20 12:00:03  chat gpt-4o  openai  gpt-4o-2024-11-20  1,204 in / 56 out  $0.0123  first token 310 ms  1.24 s
2026-11-20 12:00:04  chat house-1  house  12 ms  error: RateLimit: come back later
"""
    )


@pytest.mark.usefixtures("three_polls")
def test_following_as_json_gives_one_call_a_line(run: Run) -> None:
    lines = run("--follow", "--json").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["chat gpt-4o", "chat house-1"]


def in_process(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", "from otel_llm.cli.traces import traces; traces()", *arguments],
        env=os.environ | {"OTEL_LLM_LOCAL_STORE": str(path)} | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_output_that_cannot_encode_everything_gets_a_replacement(path: Path, encoding: str) -> None:
    store(path, span(1, "chat Привет"))
    done = in_process(path, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"chat ??????" in done.stdout


@pytest.mark.parametrize("columns", ["1", "40"])
def test_a_narrow_terminal_wraps(path: Path, columns: str) -> None:
    store(path, *support_trace())
    done = in_process(path, "4bf9", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, b"")
    assert max(map(len, done.stdout.decode().splitlines())) <= int(columns)


def test_without_colour_on_request(path: Path) -> None:
    store(path, *support_trace())
    coloured = in_process(path, FORCE_COLOR="1", TERM="xterm").stdout
    plain = in_process(path, FORCE_COLOR="1", TERM="xterm", NO_COLOR="1").stdout
    assert b"\x1b[1;36m" in coloured
    assert b"36m" not in plain
