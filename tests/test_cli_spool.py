"""``otel-llm spool``: what waits on disk, told, delivered, carried away and deleted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm.cli.app import app
from otel_llm.delivery import Limits
from otel_llm.delivery.spool import DiskSpool, ProcessLock, SpoolPlace
from otel_llm.delivery.spool.rows import unpacked
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.score_records import score_span

Run = Callable[..., Result]
Store = Callable[..., DiskSpool]
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
OTHER = "https://insforge.example.com"
NO_QUEUE = "there is no disk queue, so nothing waits. Is it the directory of the application?"


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLangfuse]:
    """A Langfuse that the environment configures."""
    monkeypatch.delenv("OTEL_TRACES_EXPORTER", raising=False)
    with FakeLangfuse() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool"


@pytest.fixture
def run(directory: Path) -> Run:
    return lambda *arguments, **more: CliRunner().invoke(app, ["spool", *map(str, arguments)], **more)


@pytest.fixture
def store(directory: Path) -> Iterator[Store]:
    """Writes records into the disk queue, a row each, as a process does whose destination is down."""
    made: list[DiskSpool] = []

    def write(destination: str, records: Sequence[bytes], *, refused: str | None = None) -> DiskSpool:
        spool = DiskSpool(SpoolPlace(directory), destination, "writer", max_bytes=10**9, max_age_s=3600)
        made.append(spool)
        for record in records:
            spool.append([record])
        if refused is not None:
            batch = spool.next_batch(Limits())
            assert batch is not None
            spool.settle(batch, [(record, refused) for record in batch.records])
        return spool

    yield write
    for spool in made:
        spool.close()


def destination(server: FakeLangfuse) -> LangfuseDestination:
    return LangfuseDestination(
        LangfuseSettings(public_key=server.public_key, secret_key=server.secret_key, base_url=server.base_url)
    )


def call(span_id: int, prompt: str = "Hello") -> ReadableSpan:
    messages = [{"role": "user", "parts": [{"type": "text", "content": prompt}]}]
    return with_messages(span_id, messages)


def with_messages(span_id: int, messages: list[dict[str, Any]]) -> ReadableSpan:
    return ReadableSpan(
        name="chat gpt-4o",
        context=SpanContext(TRACE_ID, span_id, is_remote=False, trace_flags=TraceFlags(1)),
        resource=Resource({}),
        attributes={"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(messages)},
        start_time=1_790_000_000_000_000_000,
        end_time=1_790_000_001_000_000_000,
    )


def records(server: FakeLangfuse, *span_ids: int) -> list[bytes]:
    to = destination(server)
    found = [to.encode(call(span_id)) for span_id in span_ids]
    to.close()
    return [record for record in found if record is not None]


def key(server: FakeLangfuse) -> str:
    return f"{server.base_url} {server.public_key}"


def told(result: Result, *, status: int = 0) -> Any:
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


class TestStatus:
    def test_nothing_there(self, run: Run, directory: Path) -> None:
        result = run("status")
        assert result.output == f"{directory}: {NO_QUEUE}\n"
        assert (result.exit_code, directory.exists()) == (0, False)

    def test_nothing_waits(self, run: Run, store: Store, directory: Path) -> None:
        store("a", [])
        assert run("status").output == f"{directory}: nothing waits, nothing was refused.\n"

    def test_what_waits_and_what_was_refused(self, run: Run, store: Store, directory: Path) -> None:
        store("https://cloud.example.com pk-lf-1", [b"x", b"y"], refused="Langfuse answered 400")
        store("https://cloud.example.com pk-lf-1", [b"a" * 1_000_000])
        lines = run("status").output.splitlines()
        assert [cell.strip() for cell in lines[4].strip("│").split("│")][:3] == [
            "https://cloud.example.com pk-lf-1",
            "1",
            "1.0 MB",
        ]
        assert [cell.strip() for cell in lines[4].strip("│").split("│")][4:] == ["2", "no"]
        assert lines[-1].startswith("Refused by https://cloud.example.com pk-lf-1: 2 span(s), the latest ")
        assert lines[-1].endswith(" ago: Langfuse answered 400")

    def test_in_json(self, run: Run, store: Store, directory: Path) -> None:
        store("a", [b"x", b"y"], refused="400")
        store("b", [b"z" * 96])
        found = told(run("status", "--json"))
        a, b = found["destinations"]
        assert found["directory"] == str(directory)
        assert (b.pop("oldest_s") >= 0.0, a["refusals"][0].pop("latest_s") >= 0.0) == (True, True)
        assert a == {
            "destination": "a",
            "spans": 0,
            "bytes": 0,
            "oldest_s": None,
            "dead": 2,
            "deferred": 0,
            "has_sender": False,
            "refusals": [{"reason": "400", "spans": 2}],
        }
        assert b == {
            "destination": "b",
            "spans": 1,
            "bytes": 100,
            "dead": 0,
            "deferred": 0,
            "has_sender": False,
            "refusals": [],
        }

    def test_what_was_lost(self, run: Run, store: Store, directory: Path) -> None:
        store("a", [b"x", b"y"])
        assert run("purge", "--yes").exit_code == 0
        line = run("status").output.splitlines()[-1]
        assert line.startswith("Lost for a: 2 span(s), the latest ")
        assert line.endswith(" ago: purged")
        (loss,) = told(run("status", "--json"))["losses"]
        assert loss.pop("latest_s") >= 0.0
        assert loss == {"destination": "a", "reason": "purged", "spans": 2}

    def test_a_process_that_sends_is_told(self, run: Run, store: Store, directory: Path) -> None:
        store("a", [b"x"])
        leader = ProcessLock(SpoolPlace(directory).lock("a"))
        assert leader.acquire()
        assert told(run("status", "--json"))["destinations"][0]["has_sender"] is True
        leader.release()
        assert told(run("status", "--json"))["destinations"][0]["has_sender"] is False

    def test_a_damaged_file_is_told_and_left_alone(self, run: Run, directory: Path) -> None:
        SpoolPlace(directory).prepare()
        SpoolPlace(directory).file.write_bytes(b"no database " * 1_000)
        result = run("status")
        assert result.exit_code == 1
        assert "is damaged (file is not a database). The next application that records sets it aside" in result.output
        assert [path.name for path in directory.iterdir()] == ["spool.sqlite3"]

    def test_a_directory_of_all_users_is_refused(self, run: Run, store: Store, directory: Path) -> None:
        store("a", [b"x"])
        directory.chmod(0o777)
        result = run("status")
        assert (result.exit_code, "writable by other users" in result.output) == (1, True)

    @pytest.mark.parametrize("command", ["status", "drain", "purge", "replay-dead", "export -"])
    def test_what_is_no_directory_of_a_queue_is_no_empty_queue(
        self, run: Run, langfuse: FakeLangfuse, directory: Path, command: str
    ) -> None:
        directory.write_text("")
        result = run(*command.split())
        assert result.exit_code == 1
        assert f"{directory} is not a directory" in result.output
        directory.unlink()
        directory.mkdir(mode=0o700)
        directory.chmod(0o770)
        result = run(*command.split())
        assert result.exit_code == 1
        assert f"{directory} is writable by other users" in result.output
        assert list(directory.iterdir()) == []

    def test_no_disk_queue_at_all(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", "none")
        result = run("status")
        assert result.exit_code == 1
        assert result.output == "Error: The environment says that there is no disk queue. Name one with --dir.\n"

    def test_another_directory(self, run: Run, tmp_path: Path) -> None:
        assert told(run("status", "--json", "--dir", tmp_path / "else")) == {
            "directory": str(tmp_path / "else"),
            "destinations": [],
            "losses": [],
        }


class TestDrain:
    def test_what_was_put_off_is_delivered(self, run: Run, langfuse: FakeLangfuse, directory: Path) -> None:
        to = destination(langfuse)
        forms = [form for number in (1, 2) if (form := to.defer(call(number))) is not None]
        to.close()
        spool = DiskSpool(SpoolPlace(directory), key(langfuse), "a process that is gone", max_bytes=10**9, max_age_s=3600)
        spool.append(forms, deferred=True)
        spool.close()
        assert told(run("status", "--json"))["destinations"][0]["deferred"] == 2
        assert run("status").output.splitlines()[-1].startswith(f"Put off for {key(langfuse)}: 2 of its span(s)")
        assert run("drain").exit_code == 0
        assert [json.loads(row["input"])["messages"][0]["content"] for row in langfuse.observations] == ["Hello", "Hello"]

    def test_what_waits_is_delivered(self, run: Run, store: Store, langfuse: FakeLangfuse) -> None:
        store(key(langfuse), records(langfuse, 1, 2, 3))
        result = run("drain")
        assert (result.exit_code, result.output) == (0, "langfuse: 3 span(s) delivered, nothing waits\n")
        assert len(langfuse.observations) == 3
        assert told(run("status", "--json"))["destinations"][0]["spans"] == 0

    def test_in_json(self, run: Run, store: Store, langfuse: FakeLangfuse, directory: Path) -> None:
        store(key(langfuse), records(langfuse, 1))
        assert told(run("drain", "--json")) == {
            "directory": str(directory),
            "delivered": 1,
            "refused": 0,
            "lost": {},
            "left": {"langfuse": 0},
            "reasons": {},
            "last_errors": {},
            "not_configured": {},
        }

    def test_what_cannot_be_delivered_is_left_and_the_status_says_so(
        self, run: Run, store: Store, langfuse: FakeLangfuse
    ) -> None:
        store(key(langfuse), records(langfuse, 1))
        langfuse.stop()
        found = told(run("drain", "--json", "--timeout", 0.5), status=1)
        assert found["left"] == {"langfuse": 1}
        assert found["last_errors"]["langfuse"].startswith("127.0.0.1 could not be reached")
        langfuse.start()
        assert run("drain").exit_code == 0

    def test_what_is_refused_is_told(self, run: Run, store: Store, langfuse: FakeLangfuse) -> None:
        store(key(langfuse), [b"\x0anonsense", *records(langfuse, 1)])
        result = run("drain")
        assert result.exit_code == 0
        assert "langfuse: 1 span(s) delivered, 1 refused for good (see `otel-llm spool status`), nothing waits" in result.output

    def test_another_receiver_gets_nothing_and_is_told(self, run: Run, store: Store, langfuse: FakeLangfuse) -> None:
        store("https://other.example.com pk-lf-2", records(langfuse, 1))
        result = run("drain")
        assert result.exit_code == 0
        assert result.output == (
            "langfuse: 0 span(s) delivered, nothing waits\n"
            "https://other.example.com pk-lf-2: 1 span(s) wait, but the environment does not configure it\n"
        )
        assert langfuse.observations == []

    def test_nothing_there(self, run: Run, langfuse: FakeLangfuse, directory: Path) -> None:
        result = run("drain")
        assert (result.exit_code, result.output) == (0, f"{directory}: {NO_QUEUE}\n")
        assert not directory.exists()

    def test_no_destination(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "INSFORGE_BASE_URL", "INSFORGE_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        result = run("drain")
        assert (result.exit_code, "set LANGFUSE_* or INSFORGE_* variables" in result.output) == (1, True)

    def test_it_waits_for_a_process_that_sends(self, run: Run, store: Store, langfuse: FakeLangfuse, directory: Path) -> None:
        spool = store(key(langfuse), records(langfuse, 1))
        leader = ProcessLock(SpoolPlace(directory).lock(spool.destination))
        assert leader.acquire()
        assert told(run("drain", "--json", "--timeout", 0.3), status=1)["left"] == {"langfuse": 1}
        assert langfuse.requests == []
        leader.release()
        assert told(run("drain", "--json"))["delivered"] == 1

    def test_as_a_process(self, store: Store, langfuse: FakeLangfuse, directory: Path) -> None:
        store(key(langfuse), records(langfuse, 1, 2))
        done = subprocess.run(
            [Path(sys.executable).with_name("otel-llm"), "spool", "drain"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "langfuse: 2 span(s) delivered, nothing waits\n", "")


class TestReplayDead:
    def test_what_was_refused_waits_again(self, run: Run, store: Store, langfuse: FakeLangfuse) -> None:
        store(key(langfuse), records(langfuse, 1, 2), refused="Langfuse answered 422")
        assert run("replay-dead").output == "2 span(s) wait again.\n"
        assert told(run("drain", "--json"))["delivered"] == 2
        assert len(langfuse.observations) == 2

    def test_of_one_destination(self, run: Run, store: Store) -> None:
        store("https://a.example.com pk-1", [b"x"], refused="400")
        store("https://b.example.com pk-2", [b"y"], refused="400")
        assert told(run("replay-dead", "--json", "--destination", "b.example")) == {"replayed": 1}
        assert [row["dead"] for row in told(run("status", "--json"))["destinations"]] == [1, 0]

    @pytest.mark.parametrize(
        ("name", "fault"),
        [
            ("c.example", "'c.example' is no destination here; known: 'https://a.example.com', 'https://b.example.com'"),
            ("example", "'example' is more than one destination here; known: 'https://a.example.com', 'https://b.example.com'"),
        ],
    )
    def test_a_name_that_is_not_one(self, run: Run, store: Store, name: str, fault: str) -> None:
        for host in ("a", "b"):
            store(f"https://{host}.example.com", [b"x"])
        result = run("replay-dead", "--destination", name)
        assert (result.exit_code, result.output) == (1, f"Error: {fault}\n")

    def test_nothing_there(self, run: Run, directory: Path) -> None:
        assert told(run("replay-dead", "--json")) == {"replayed": 0}
        assert not directory.exists()


class TestExport:
    def test_spans_of_langfuse_are_one_otlp_request(
        self, run: Run, store: Store, langfuse: FakeLangfuse, tmp_path: Path
    ) -> None:
        store(key(langfuse), records(langfuse, 1, 2))
        result = run("export", tmp_path / "spans", "--destination", "127.0.0.1")
        assert result.exit_code == 0
        assert [span.span_id.hex() for span in spans_in(tmp_path / "spans")] == [f"{1:016x}", f"{2:016x}"]
        assert result.stderr == f"2 record(s), {(tmp_path / 'spans').stat().st_size:,} bytes.\n"
        assert told(run("status", "--json"))["destinations"][0]["spans"] == 2  # they stay

    def test_media_and_scores_are_left_out_and_told(
        self, run: Run, store: Store, langfuse: FakeLangfuse, tmp_path: Path
    ) -> None:
        to = destination(langfuse)
        picture = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0KGgo" + "AAAA" * 100 + "A"}
        with_media = to.encode(with_messages(2, [{"role": "user", "parts": [picture]}]))
        scored = to.encode(score_span({"name": "good", "value": 1, "traceId": f"{TRACE_ID:032x}"}, Resource({}), None))
        assert with_media is not None
        assert scored is not None
        assert (with_media[:1], scored[:1]) == (b"\x01", b"S")
        everything = [*records(langfuse, 1), with_media, scored]
        store(key(langfuse), everything)

        result = run("export", tmp_path / "spans", "--destination", key(langfuse))
        assert [span.span_id.hex() for span in spans_in(tmp_path / "spans")] == [f"{1:016x}", f"{2:016x}"]
        assert result.stderr.splitlines()[1:] == [
            "The media of 1 span(s) are not in it; --raw writes them too.",
            "1 record(s) of another kind (scores) are not in it; --raw writes them too.",
        ]
        result = run("export", tmp_path / "raw", "--raw", "--json", "--destination", key(langfuse))
        assert unpacked((tmp_path / "raw").read_bytes()) == everything
        size = (tmp_path / "raw").stat().st_size
        assert json.loads(result.stdout) == {"records": 3, "bytes": size, "without_media": 0, "left_out": 0, "deferred": 0}

    def test_what_was_put_off_is_left_out_and_told(self, run: Run, directory: Path, store: Store, tmp_path: Path) -> None:
        store("b", [b"{}"]).append([b"first form"], deferred=True)
        result = run("export", tmp_path / "spans.bin", "--destination", "b")
        assert (tmp_path / "spans.bin").read_bytes() == b"{}\n"
        assert result.stderr.splitlines()[-1].startswith("1 span(s) were put off and are not in it")

    def test_rows_of_insforge_are_lines_of_json(self, run: Run, store: Store, tmp_path: Path) -> None:
        store(OTHER, [b'{"table":"a"}\n{"table":"b"}', b'{"table":"c"}'])
        result = run("export", "-", "--destination", "insforge")
        assert [json.loads(line)["table"] for line in result.stdout.splitlines()] == ["a", "b", "c"]

    def test_what_is_told_keeps_out_of_what_is_written(self, run: Run, store: Store, tmp_path: Path) -> None:
        store(OTHER, [b"{}"])
        result = run("export", "-", "--json")
        assert (result.stdout, json.loads(result.stderr)["records"]) == ("{}\n", 1)
        result = run("export", tmp_path / "rows", "--json")
        assert (json.loads(result.stdout)["records"], result.stderr) == (1, "")

    def test_several_destinations_are_named_if_none_is(self, run: Run, store: Store, tmp_path: Path) -> None:
        store("a", [b"{}"])
        store("b", [b"{}"])
        result = run("export", tmp_path / "rows")
        assert (result.exit_code, result.output) == (1, "Error: Name one with --destination: 'a', 'b'\n")
        assert not (tmp_path / "rows").exists()

    def test_nothing_to_write(self, run: Run, tmp_path: Path) -> None:
        result = run("export", tmp_path / "rows")
        assert (result.exit_code, result.output) == (1, "Error: Nothing waits, nothing was refused.\n")

    def test_dead_letters(self, run: Run, store: Store, tmp_path: Path) -> None:
        store(OTHER, [b'{"table":"a"}'], refused="400")
        store(OTHER, [b'{"table":"b"}'])
        run("export", tmp_path / "dead", "--dead", "--destination", OTHER)
        assert (tmp_path / "dead").read_text() == '{"table":"a"}\n'

    def test_the_file_is_for_this_user_alone(self, run: Run, store: Store, tmp_path: Path) -> None:
        store(OTHER, [b"{}"])
        run("export", tmp_path / "rows", "--destination", OTHER)
        assert (tmp_path / "rows").stat().st_mode & 0o777 == 0o600

    def test_an_unknown_destination_writes_no_file(self, run: Run, directory: Path, tmp_path: Path) -> None:
        result = run("export", tmp_path / "spans", "--destination", "langfuse")
        assert (result.exit_code, result.output) == (1, "Error: 'langfuse' is no destination here; known: none\n")
        assert (directory.exists(), (tmp_path / "spans").exists()) == (False, False)


class TestPurge:
    def test_it_says_how_much_and_asks(self, run: Run, store: Store) -> None:
        store("a", [b"x", b"y"], refused="400")
        store("a", [b"z"])
        refused = run("purge", input="n\n")
        assert "Delete 1 span(s) that wait and 2 that were refused, for good? [y/N]" in refused.stderr
        assert (refused.exit_code, told(run("status", "--json"))["destinations"][0]["spans"]) == (1, 1)
        assert run("purge", input="y\n").stdout.endswith("3 span(s) deleted.\n")
        assert told(run("status", "--json"))["destinations"] == []

    @pytest.mark.parametrize("arguments", [[], ["--json"]])
    def test_nobody_is_there_to_ask(self, run: Run, store: Store, arguments: list[str]) -> None:
        store("a", [b"x"])
        result = run("purge", *arguments, input="")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.endswith("Error: Nothing was deleted: nobody is there to ask. Say --yes.\n")
        assert told(run("status", "--json"))["destinations"][0]["spans"] == 1

    def test_of_one_destination_without_asking(self, run: Run, store: Store) -> None:
        store("a", [b"x"])
        store("b", [b"y"])
        assert told(run("purge", "--yes", "--json", "--destination", "a")) == {"deleted": 1}
        assert [row["destination"] for row in told(run("status", "--json"))["destinations"]] == ["b"]

    def test_of_dead_letters_alone(self, run: Run, store: Store) -> None:
        store("a", [b"x"], refused="400")
        store("a", [b"y"])
        assert told(run("purge", "--yes", "--dead", "--json")) == {"deleted": 1}
        assert [(row["spans"], row["dead"]) for row in told(run("status", "--json"))["destinations"]] == [(1, 0)]

    def test_nothing_there(self, run: Run, directory: Path) -> None:
        assert told(run("purge", "--json")) == {"deleted": 0}
        assert not directory.exists()


@pytest.mark.parametrize("command", ["status", "drain", "replay-dead", "export", "purge"])
def test_each_command_explains_itself(command: str, run: Run) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "$OTEL_LLM_SPOOL_DIR, else otel-llm/spool" in " ".join(result.output.split())
    assert "--json" in result.output


def spans_in(file: Path) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(file.read_bytes())
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
