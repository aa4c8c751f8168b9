"""What an operator sees of the deliveries of a process."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits, Outcome, Pause, Split, metrics
from otel_llm.delivery.metrics import observe_deliveries
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.size import span_size
from otel_llm.delivery.spool import Overflow, SpoolPlace
from otel_llm.delivery.spool.access import SpoolSettings

LONG_S = 30.0
Read = Callable[[], dict[str, float]]


class Fake:
    """Takes everything, unless it is down; refuses what is called poison."""

    limits = Limits()

    def __init__(self, name: str = "fake", *, down: bool = False) -> None:
        self.name = name
        self.down = down

    def encode(self, span: ReadableSpan) -> bytes | None:
        return span.name.encode()

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        if self.down:
            return Pause("down")
        return Split("400") if b"poison" in records else Delivered()

    def close(self) -> None:
        pass


class Kept(Fake):
    """With a disk queue."""

    spool_key = "fake https://example.com"


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    made = MeterProvider([reader])
    yield made
    made.shutdown()


@pytest.fixture
def read(provider: MeterProvider, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The figures now, by name without its prefix; those of one destination or reason as ``name[destination, reason]``."""
    monkeypatch.setattr(metrics, "_FRESH_S", 0.0)
    observe_deliveries(provider)

    def figures() -> dict[str, float]:
        data = reader.get_metrics_data()
        found: dict[str, float] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        assert isinstance(point, NumberDataPoint)
                        about = ", ".join(str(value) for _, value in sorted((point.attributes or {}).items()))
                        found[f"{metric.name.removeprefix('otel_llm.delivery.')}[{about}]"] = point.value
        return found

    return figures


@pytest.fixture
def deliver(tmp_path: Path) -> Iterator[Callable[..., Delivery]]:
    made: list[Delivery] = []

    def make(destination: Fake, **more: int) -> Delivery:
        settings = SpoolSettings(SpoolPlace(tmp_path / "spool"))
        made.append(Delivery(destination, spool=settings, linger_s=0.001, full_wait_s=0.0, **more))
        return made[-1]

    yield make
    for delivery in made:
        delivery.shutdown(1.0)


def of_reason(read: Read, reason: str) -> float:
    return read().get(f"dropped[fake, {reason}]", 0)


def test_what_waits_on_disk_and_in_memory(deliver: Callable[..., Delivery], read: Read) -> None:
    delivery = deliver(Kept(down=True))
    for name in ("a", "b"):
        delivery.offer(ReadableSpan(name))
    assert not delivery.flush(LONG_S)
    found = read()
    assert found.pop("spool.oldest_age[fake]") >= 0.0
    assert delivery.spool is not None
    assert found == {
        "delivered[fake]": 0,
        "rejected[fake]": 0,
        "stripped[fake]": 0,
        "retries[fake]": 0,
        "queue.spans[fake]": 0,
        "queue.size[fake]": 0,
        "spool.spans[fake]": 2,
        "spool.size[fake]": delivery.spool.counts().bytes,
        "spool.dead_letters[fake]": 0,
    }


def test_what_was_delivered_and_refused(deliver: Callable[..., Delivery], read: Read) -> None:
    delivery = deliver(Kept())
    for name in ("a", "poison", "b"):
        delivery.offer(ReadableSpan(name))
    assert delivery.flush(LONG_S)
    found = read()
    names = ("delivered", "rejected", "spool.spans", "spool.dead_letters", "spool.oldest_age")
    assert [found[f"{name}[fake]"] for name in names] == [2, 1, 0, 1, 0.0]


def test_the_age_of_the_oldest_is_in_seconds(
    deliver: Callable[..., Delivery], read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = deliver(Kept(down=True))
    delivery.offer(ReadableSpan("a"))
    assert not delivery.flush(LONG_S)
    assert delivery.spool is not None
    oldest_ms = delivery.spool.counts().oldest_ms
    assert oldest_ms is not None
    now_s = oldest_ms / 1000 + 90
    monkeypatch.setattr(metrics, "time", SimpleNamespace(time=lambda: now_s, monotonic=time.monotonic))
    assert read()["spool.oldest_age[fake]"] == 90.0
    now_s = 0.0
    assert read()["spool.oldest_age[fake]"] == 0.0


def test_what_waits_in_memory_where_there_is_no_disk_queue(deliver: Callable[..., Delivery], read: Read) -> None:
    delivery = deliver(Fake(down=True))
    delivery.offer(ReadableSpan("a"))
    assert not delivery.flush(LONG_S)
    found = read()
    assert (found["queue.spans[fake]"], found["spool.spans[fake]"]) == (1, 0)
    assert 0 < found["queue.size[fake]"] < span_size(ReadableSpan("a"))


def test_what_was_dropped_is_told_by_reason(deliver: Callable[..., Delivery], read: Read) -> None:
    delivery = deliver(Fake(down=True), max_spans=2)
    for name in ("a", "b", "c"):
        delivery.offer(ReadableSpan(name))
    assert of_reason(read, "queue full") == 1
    assert sum(delivery.losses.values()) == delivery.stats.dropped


def test_what_the_disk_queue_drops_is_told_by_reason(deliver: Callable[..., Delivery], read: Read, tmp_path: Path) -> None:
    delivery = Delivery(Kept(down=True), spool=SpoolSettings(SpoolPlace(tmp_path / "spool"), max_bytes=1_000), linger_s=0.001)
    for number in range(4):
        delivery.offer(ReadableSpan(f"{number}" * 390))
        assert not delivery.flush(LONG_S)
    assert of_reason(read, "disk queue: full") == 2
    assert sum(delivery.losses.values()) == delivery.stats.dropped == 2
    delivery.shutdown(1.0)


def test_a_disk_queue_that_blocks_makes_a_span_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_llm.delivery.queue.BLOCK_WAIT_S", LONG_S)
    monkeypatch.setattr("otel_llm.delivery.queue._LONGEST_WAIT_S", LONG_S)
    destination = Kept(down=True)
    settings = SpoolSettings(SpoolPlace(tmp_path / "spool"), max_bytes=500, overflow=Overflow.BLOCK)
    delivery = Delivery(destination, spool=settings, linger_s=0.001, max_spans=1)
    for number in range(2):  # one for the disk, one for memory
        assert delivery.offer(ReadableSpan(f"{number}" * 390))
        assert not delivery.flush(LONG_S)
    with ThreadPoolExecutor() as executor:
        third = executor.submit(delivery.offer, ReadableSpan("c"))
        time.sleep(0.3)
        assert not third.done()
        destination.down = False
        delivery.hurry()
        assert third.result(LONG_S)
    assert delivery.flush(LONG_S)
    assert (delivery.stats.delivered, delivery.losses) == (3, {})
    delivery.shutdown(1.0)


def test_what_a_shutdown_leaves_is_a_loss_of_its_own(deliver: Callable[..., Delivery]) -> None:
    delivery = deliver(Fake(down=True))
    delivery.offer(ReadableSpan("a"))
    delivery.shutdown(1.0)
    delivery.offer(ReadableSpan("b"))
    assert delivery.losses == {"shut down": 2}


def test_destinations_are_told_apart(deliver: Callable[..., Delivery], read: Read) -> None:
    for name in ("one", "two"):
        delivery = deliver(Fake(name))
        delivery.offer(ReadableSpan("a"))
        assert delivery.flush(LONG_S)
    found = read()
    assert (found["delivered[one]"], found["delivered[two]"]) == (1, 1)


def test_a_delivery_that_is_shut_down_is_not_asked(deliver: Callable[..., Delivery], read: Read) -> None:
    delivery = deliver(Kept())
    assert delivery.shutdown(LONG_S)
    assert read() == {}


def test_a_fault_reaches_no_reader(
    deliver: Callable[..., Delivery], read: Read, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deliver(Kept())
    assert "delivered[fake]" in read()
    monkeypatch.setattr("otel_llm.delivery.metrics._figures", lambda delivery: 1 / 0)
    assert read() == {}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []  # the SDK would tell


def test_a_provider_gets_the_instruments_once(
    provider: MeterProvider, deliver: Callable[..., Delivery], read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Delivery] = []
    figures = metrics._figures
    monkeypatch.setattr(metrics, "_figures", lambda delivery: (asked.append(delivery), figures(delivery))[1])
    observe_deliveries(provider)
    deliver(Kept())
    read()
    assert len(asked) == len(metrics._COUNTERS) + len(metrics._GAUGES)


def test_instruments_have_units(
    provider: MeterProvider,
    reader: InMemoryMetricReader,
    deliver: Callable[..., Delivery],
    read: Read,
) -> None:
    deliver(Kept())
    data = reader.get_metrics_data()
    assert data is not None
    (scope,) = data.resource_metrics[0].scope_metrics
    assert {metric.name.removeprefix("otel_llm.delivery."): metric.unit for metric in scope.metrics} == {
        "delivered": "{span}",
        "rejected": "{span}",
        "stripped": "{span}",
        "retries": "{try}",
        "queue.spans": "{span}",
        "queue.size": "By",
        "spool.spans": "{span}",
        "spool.size": "By",
        "spool.oldest_age": "s",
        "spool.dead_letters": "{span}",
    }


@pytest.mark.parametrize("first", ["configure", "meter provider"])
def test_configure_offers_them_to_the_global_provider_whenever_that_is_set(first: str, tmp_path: Path) -> None:
    configure = "otel_llm.configure()\n"
    set_provider = "reader = InMemoryMetricReader()\nset_meter_provider(MeterProvider([reader]))\n"
    script = (
        "import otel_llm\n"
        "from opentelemetry.metrics import set_meter_provider\n"
        "from opentelemetry.sdk.metrics import MeterProvider\n"
        "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
        + (configure + set_provider if first == "configure" else set_provider + configure)
        + "otel_llm.shutdown()\notel_llm.configure()\n"
        "scopes = reader.get_metrics_data().resource_metrics[0].scope_metrics\n"
        "print(sorted(m.name for s in scopes for m in s.metrics if m.name.startswith('otel_llm.delivery.d')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env={"OTEL_LLM_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("['otel_llm.delivery.delivered']\n", "")
