"""The repository's collector configuration in a real collector: what reaches Langfuse, through which outages, and what does not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from collecting import CONFIGURATION, Backend, Collector, binary, eventually, send_grpc, send_http
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode
from traced import Application, said

from otel_llm.delivery import Delivered
from otel_llm.delivery.otlp import encode_request
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

Row = dict[str, Any]
#: Of the forms that vendors give them, but made up.
KEYS = (
    "sk-proj-" + "a1B2c3D4" * 5,
    "sk-ant-api03-" + "x9Y8z7" * 8,
    "sk-lf-12345678-1234-1234-1234-123456789abc",
    "Basic " + "b" * 20,
)


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


@pytest.fixture
def collector(langfuse: FakeLangfuse, tmp_path: Path) -> Iterator[Collector]:
    with Collector(langfuse, tmp_path) as running:
        yield running


def mapped(settings: LangfuseSettings, spans: list[ReadableSpan]) -> list[bytes]:
    destination = LangfuseDestination(settings)
    records = [record for span in spans if (record := destination.encode(span)) is not None]
    destination.close()
    return records


def rows(langfuse: FakeLangfuse, number: int) -> list[Row]:
    return sorted(langfuse.wait_for(number, 30), key=lambda row: str(row["id"]))


def direct(spans: list[ReadableSpan]) -> list[Row]:
    """What Langfuse stores of spans that it gets from the exporter itself."""
    with FakeLangfuse() as server:
        keys = {"public_key": server.public_key, "secret_key": server.secret_key, "base_url": server.base_url}
        destination = LangfuseDestination(LangfuseSettings.load(**keys))
        records = [record for span in spans if (record := destination.encode(span)) is not None]
        assert destination.send(records, timeout_s=5) == Delivered()
        destination.close()
        return rows(server, len(records))


def test_the_configuration_is_valid(langfuse: FakeLangfuse, tmp_path: Path) -> None:
    """With keys as the only variables."""
    environment = {name: value for name, value in langfuse.environment.items() if name.endswith("_KEY")}
    command = [binary(), "validate", "--config", str(CONFIGURATION)]

    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (said.returncode, said.stderr) == (0, "")


def test_it_does_not_start_without_a_key() -> None:
    """Langfuse would answer 401 to all that it sends, and it would drop that."""
    said = subprocess.run([binary(), "--config", str(CONFIGURATION)], env={}, capture_output=True, text=True, check=False)

    assert said.returncode == 1
    assert "LANGFUSE_PUBLIC_KEY must be set" in said.stderr


def test_spans_of_the_exporter_arrive_as_by_the_direct_way(langfuse: FakeLangfuse, collector: Collector) -> None:
    spans = Application().serve()
    expected = direct(spans)
    through = LangfuseDestination(LangfuseSettings.load(via=collector.http))
    records = [record for span in spans if (record := through.encode(span)) is not None]

    outcome = through.send(records, timeout_s=5)
    through.close()

    assert outcome == Delivered()
    assert rows(langfuse, len(records)) == expected
    assert {row["type"] for row in expected} == {"AGENT", "GENERATION", "TOOL", "EMBEDDING", "RETRIEVER"}


@pytest.mark.parametrize("send", [send_http, send_grpc])
def test_mapped_spans_arrive_as_by_the_direct_way(
    langfuse: FakeLangfuse, collector: Collector, send: Callable[[str, list[bytes]], None]
) -> None:
    spans = Application().serve()
    expected = direct(spans)

    send(collector.http if send is send_http else collector.grpc, mapped(LangfuseSettings.load(via=collector.http), spans))

    assert rows(langfuse, len(expected)) == expected


def test_nothing_is_lost_when_langfuse_is_down_and_the_collector_is_killed(langfuse: FakeLangfuse, tmp_path: Path) -> None:
    application = Application()
    for number in range(300):
        application.call(name=f"chat {number}")
    records = mapped(LangfuseSettings.load(via="http://collector"), application.spans)
    collector = Collector(langfuse, tmp_path)

    langfuse.stop()
    with collector:
        for start in range(0, 200, 20):
            send_http(collector.http, records[start : start + 20])
        collector.kill()
        collector.start()
        send_grpc(collector.grpc, records[200:])
        collector.kill()
        collector.start()
        langfuse.start()
        stored = rows(langfuse, 300)

    assert {row["name"] for row in stored} == {f"chat {number}" for number in range(300)}


@pytest.mark.parametrize("form", ["plain", "mapped"])
def test_keys_in_a_prompt_reach_neither_the_disk_nor_a_backend(langfuse: FakeLangfuse, tmp_path: Path, form: str) -> None:
    """With a prompt that does, to show that the test looks in the right place."""
    spans = leaking_spans()
    plain = [encode_request(span) for span in spans]
    langfuse.stop()

    with Backend() as backend, Collector(langfuse, tmp_path, **backend.environment) as collector:
        send_http(collector.http, plain if form == "plain" else mapped(LangfuseSettings.load(via=collector.http), spans))
        on_disk = b"".join(path.read_bytes() for path in (tmp_path / "queue").iterdir())
        langfuse.start()
        stored = repr(rows(langfuse, 2))
        eventually(lambda: len(backend.spans) == 2)
        elsewhere = repr(backend.spans)

    assert b"this is the marker" in on_disk
    assert "this is the marker" in stored
    assert [key for key in KEYS if key in stored or key in elsewhere or key.encode() in on_disk] == []


def leaking_spans() -> list[ReadableSpan]:
    """Keys in a prompt, a header, an array, an error, an event, a name and the resource."""
    application = Application(resource={"deployment.password": KEYS[0]})
    leaking = {
        "gen_ai.input.messages": said("user", f"My key is {KEYS[0]}, and this is the marker. Or {KEYS[1]}?"),
        "http.request.header.authorization": KEYS[3],
        "gen_ai.request.stop_sequences": [KEYS[2], "stop"],
    }
    application.call(**leaking)
    span = application.tracer.start_span(f"chat {KEYS[0]}", attributes={"gen_ai.operation.name": "chat"})
    span.add_event("exception", {"exception.message": f"Incorrect API key provided: {KEYS[1]}"})
    span.set_status(Status(StatusCode.ERROR, f"Incorrect API key provided: {KEYS[0]}"))
    span.end()
    return application.spans
