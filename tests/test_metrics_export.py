"""Metrics of ``configure()``: over OTLP to a receiver on loopback, equal to what the wire says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from otlp_metrics import MetricsReceiver, Points, grpc_receiver
from wire_usage import Answer, Wire

from otel_llm import costs, instrument, uninstrument
from otel_llm import semconv as sc
from otel_llm.errors import ConfigurationError
from otel_llm.meters import metric_outlets
from otel_llm.metric_settings import MetricVariables
from otel_llm.metrics import CallMetrics
from otel_llm.protocols.facts import Usage
from otel_llm.testing import Exchange, FakeLangfuse, FakeProvider, Reply, SpanSink
from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response

PRICES = """
[[prices]]
model = "gpt-4o"
input = 2.5
output = 10

[[prices]]
model = "claude-*"
input = 3
output = 15
"""
#: USD per million tokens in and out, as in the table above.
RATES = {"gpt-4o": (2.5, 10.0), "claude-sonnet-4-5": (3.0, 15.0)}
APPLICATION = """
import os, sys, httpx, otel_llm

otel_llm.configure(service_name="sales-bot")
KEYS = {"authorization": "Bearer sk-fake", "x-api-key": "sk-fake"}
MESSAGES = [{"role": "user", "content": "Why?"}]
chat, openrouter, messages = (os.environ[name] for name in ("CHAT", "OPENROUTER", "MESSAGES"))


def ask(url, model, **more):
    with httpx.stream("POST", url, json={"model": model, "messages": MESSAGES, **more}, headers=KEYS) as response:
        response.read()


with otel_llm.agent("strategist"):
    ask(chat, "gpt-4o")
    ask(chat, "gpt-4o", stream=True, stream_options={"include_usage": True})
with otel_llm.agent("critic"):
    ask(chat, "gpt-4o")
    ask(messages, "claude-sonnet-4-5", max_tokens=100)
    ask(messages, "claude-sonnet-4-5", max_tokens=100, stream=True)
    ask(openrouter, "meta/llama-of-nobody")
ask(chat, "house-model")
ask(chat, "gpt-4o", stream=True)  # without usage
ask(chat, "gpt-4o")
sys.exit(not eval(os.environ.get("END", "otel_llm.shutdown(20)")))
"""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(pause_s=0.0) as fake:
        turned_away = Reply(status=500, error="Not now")
        fake.reply(turned_away, when=lambda exchange: exchange.number == 9)
        yield fake


@pytest.fixture
def receiver() -> Iterator[MetricsReceiver]:
    with MetricsReceiver() as fake:
        yield fake


@pytest.fixture
def environment(provider: FakeProvider, tmp_path: Path) -> dict[str, str]:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    host = f"127.0.0.1:{provider.port}"
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))},
        "OTEL_LLM_STATE_DIR": str(tmp_path),
        "OTEL_LLM_PRICES": str(prices),
        "CHAT": f"{provider.openai}/chat/completions",
        "OPENROUTER": f"{provider.openrouter}/chat/completions",
        "MESSAGES": f"{provider.anthropic}/v1/messages",
        "HOST": host,
    }


def run(environment: Mapping[str, str], code: str = APPLICATION) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def ended_well(environment: Mapping[str, str], code: str = APPLICATION) -> None:
    done = run(environment, code)
    assert (done.returncode, done.stderr) == (0, "")


def wire(exchange: Exchange) -> Wire:
    api = "anthropic_messages" if exchange.path.endswith("/messages") else "openai_chat"
    return Answer(exchange.vendor, api, exchange.body["model"], exchange.sent, exchange.status or 0).read()


def tokens_on_the_wire(provider: FakeProvider) -> dict[tuple[str, str], int]:
    """By model and direction; directions that nobody told are left out."""
    found: Counter[tuple[str, str]] = Counter()
    for exchange in provider.exchanges:
        told = wire(exchange)
        if told.known:
            found[exchange.body["model"], "input"] += told.input
            found[exchange.body["model"], "output"] += told.output
    return dict(found)


def cost_on_the_wire(provider: FakeProvider) -> float:
    usd = 0.0
    for exchange in provider.exchanges:
        told, (into, out) = wire(exchange), RATES.get(exchange.body["model"], (0.0, 0.0))
        usd += told.cost if told.cost is not None else (told.input * into + told.output * out) / 1e6
    return usd


def assert_equal_to_the_wire(points: Points, provider: FakeProvider) -> None:
    assert len(provider.exchanges) == 9
    tokens = points.of("gen_ai.client.token.usage", "gen_ai.request.model", "gen_ai.token.type")
    assert {key: total for key, (_, total) in tokens.items()} == tokens_on_the_wire(provider)
    ((calls, _),) = points.of("gen_ai.client.operation.duration").values()
    assert calls == 9
    ((streams, _),) = points.of("gen_ai.client.operation.time_to_first_chunk").values()
    assert streams == 3
    (usd,) = points.of("otel_llm.client.cost").values()
    assert usd == pytest.approx(cost_on_the_wire(provider), rel=1e-12)


def test_over_http_they_equal_the_sums_over_the_wire_bodies(
    environment: dict[str, str], receiver: MetricsReceiver, provider: FakeProvider
) -> None:
    ended_well(environment | {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.base_url}/v1/metrics"})
    assert_equal_to_the_wire(receiver, provider)
    assert receiver.services == {"sales-bot"}
    assert receiver.failures == []


def test_over_grpc_too(environment: dict[str, str], provider: FakeProvider) -> None:
    with grpc_receiver() as receiver:
        ended_well(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
        assert_equal_to_the_wire(receiver, provider)


def test_calls_whose_cost_is_not_known_are_told_apart(environment: dict[str, str], receiver: MetricsReceiver) -> None:
    ended_well(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url})
    assert receiver.of("otel_llm.client.unpriced_calls", "gen_ai.request.model", "otel_llm.reason") == {
        ("house-model", "no price"): 1,
        ("gpt-4o", "no tokens"): 1,  # the stream without usage; the call that failed cost nothing
    }


def test_what_an_agent_cost_can_be_told(environment: dict[str, str], receiver: MetricsReceiver, provider: FakeProvider) -> None:
    ended_well(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url})
    first, second = (wire(exchange) for exchange in provider.exchanges[:2])
    usd = sum((told.input * 2.5 + told.output * 10) / 1e6 for told in (first, second))
    assert receiver.of("otel_llm.client.cost", "gen_ai.agent.name")[("strategist",)] == pytest.approx(usd, rel=1e-12)


def test_the_last_figures_of_the_deliveries_are_in_the_last_export(
    environment: dict[str, str], receiver: MetricsReceiver
) -> None:
    with FakeLangfuse() as langfuse:
        ended_well(environment | langfuse.environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url})
        assert receiver.of("otel_llm.delivery.delivered", "otel_llm.destination") == {("langfuse",): len(langfuse.observations)}
        assert len(langfuse.observations) == 11  # nine calls, two agents


@pytest.mark.parametrize("end", ["otel_llm.force_flush(20) and os._exit(0)", "True"], ids=["force_flush", "at exit"])
def test_they_are_exported_by_each_end(
    environment: dict[str, str], receiver: MetricsReceiver, provider: FakeProvider, end: str
) -> None:
    ended_well(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url, "END": end})
    assert_equal_to_the_wire(receiver, provider)


class BlackHole(LoopbackServer):
    """Takes requests, and answers none until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self._ended = threading.Event()

    def answer(self, request: Request) -> Response:
        self.seen.append(request.path)
        self._ended.wait()
        raise HangUp

    def stop(self) -> None:
        self._ended.set()
        super().stop()


def test_an_endpoint_that_does_not_answer_holds_up_neither_the_end_nor_the_spans(environment: dict[str, str]) -> None:
    environment |= {"OTEL_EXPORTER_OTLP_TIMEOUT": "1000", "END": "otel_llm.shutdown(3)"}
    with FakeLangfuse() as langfuse, BlackHole() as hole:
        done = run(environment | langfuse.environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": hole.base_url})
        assert done.returncode == 0, done.stderr
        assert len(langfuse.observations) == 11
        assert hole.seen == ["/v1/metrics"]


NOT_OURS = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
"""


def test_an_application_with_a_meter_provider_keeps_it(environment: dict[str, str], receiver: MetricsReceiver) -> None:
    names = "{m.name for s in reader.get_metrics_data().resource_metrics[0].scope_metrics for m in s.metrics}"
    environment["END"] = f"'otel_llm.client.cost' in {names} and otel_llm.shutdown()"
    ended_well(environment | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.base_url}, NOT_OURS + APPLICATION)
    assert receiver.paths == []


def test_it_can_be_configured_again_after_a_shutdown(
    environment: dict[str, str], receiver: MetricsReceiver, provider: FakeProvider
) -> None:
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.base_url
    again = "import otel_llm\notel_llm.configure()\notel_llm.shutdown()\n"
    ended_well(environment, again + APPLICATION)
    assert_equal_to_the_wire(receiver, provider)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://cloud.langfuse.com/api/public/otel"},  # which takes spans only
    ],
)
def test_there_is_no_meter_provider_of_ours_unless_it_is_asked_for(
    environment: dict[str, str], variables: dict[str, str]
) -> None:
    code = (
        "import otel_llm\nfrom opentelemetry.metrics import get_meter_provider\notel_llm.configure(destinations=[])\n"
        "assert type(get_meter_provider()).__name__ == '_ProxyMeterProvider'\n"
    )
    ended_well(environment | variables, code)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, ["opentelemetry.exporter.otlp.proto.http.metric_exporter"]),
        (
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"},
            ["opentelemetry.exporter.otlp.proto.grpc.metric_exporter"],
        ),
        ({"OTEL_METRICS_EXPORTER": "console"}, ["opentelemetry.sdk.metrics._internal.export"]),
        (
            {"OTEL_METRICS_EXPORTER": "otlp, console"},
            ["opentelemetry.exporter.otlp.proto.http.metric_exporter", "opentelemetry.sdk.metrics._internal.export"],
        ),
        ({"OTEL_METRICS_EXPORTER": "none"}, []),
    ],
)
def test_the_environment_chooses_the_exporters(
    clean: pytest.MonkeyPatch, variables: dict[str, str], expected: list[str]
) -> None:
    for name, value in variables.items():
        clean.setenv(name, value)
    outlets = metric_outlets(MetricVariables())
    for outlet in outlets:
        outlet.shutdown()
    assert [type(outlet).__module__ for outlet in outlets] == expected


def test_an_exporter_that_is_not_installed_is_a_fault_that_names_the_known_ones(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("OTEL_METRICS_EXPORTER", "otpl,console,promethues")
    with pytest.raises(ConfigurationError, match=r"(?s)'otpl', which is not installed; known here: console, .*'promethues'"):
        metric_outlets(MetricVariables())


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("OTEL_") and name != "OTEL_LLM_STATE_DIR":
            monkeypatch.delenv(name)
    return monkeypatch


CALL: dict[str, Any] = {
    sc.OPERATION_NAME: "chat",
    sc.PROVIDER_NAME: "nobody",
    sc.REQUEST_MODEL: "house-model",
    sc.RESPONSE_ID: "r-1",
}


def measured(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], Any]]]:
    data = reader.get_metrics_data()
    return {
        metric.name: [(dict(point.attributes or {}), getattr(point, "value", None)) for point in metric.data.data_points]
        for resource in (data.resource_metrics if data else [])
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


@pytest.fixture
def reader() -> InMemoryMetricReader:
    return InMemoryMetricReader()


@pytest.fixture
def meters(reader: InMemoryMetricReader) -> Iterator[MeterProvider]:
    made = MeterProvider([reader], shutdown_on_exit=False)
    yield made
    made.shutdown()


def test_a_price_is_looked_up_when_a_reader_collects_and_not_before(
    meters: MeterProvider, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_llm import call_cost

    asked: list[str] = []
    monkeypatch.setattr(call_cost, "price", lambda **about: asked.append(about["model"]))
    CallMetrics(meters).record(CALL, Usage(input_tokens=1), 1.0, None)
    assert asked == []
    measured(reader)
    assert asked == ["house-model"]


@contextmanager
def official(tracers: TracerProvider) -> Iterator[None]:
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=tracers)
    yield
    instrumentor.uninstrument()


@pytest.mark.parametrize("around", [nullcontext, official], ids=["by us", "by the official instrumentation"])
def test_a_call_costs_once_whoever_tells_it(
    around: Callable[[TracerProvider], AbstractContextManager[None]],
    meters: MeterProvider,
    reader: InMemoryMetricReader,
    provider: FakeProvider,
) -> None:
    messages: Any = [{"role": "user", "content": "Why?"}]
    with (
        SpanSink.provider() as (tracers, _),
        around(tracers),
        openai.OpenAI(base_url=provider.openrouter, api_key="sk-f") as client,
    ):
        instrument(tracer_provider=tracers, meter_provider=meters)
        client.chat.completions.create(model="meta/llama-of-nobody", messages=messages)
        uninstrument()
    (exchange,) = provider.exchanges
    assert [value for _, value in measured(reader)["otel_llm.client.cost"]] == [wire(exchange).cost]


ANTHROPICS_OWN_TRACING = """
import os, anthropic, otel_llm
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from otel_llm.testing import SpanSink

otel_llm.configure()
sink = SpanSink()
trace.get_tracer_provider().add_span_processor(sink)
client = anthropic.Anthropic(base_url=os.environ["MESSAGES"].removesuffix("/v1/messages"), api_key="sk-fake")
with otel_llm.agent("critic"):
    client.messages.create(model="claude-sonnet-5", max_tokens=9, messages=[{"role": "user", "content": "Why?"}])
assert otel_llm.shutdown(20)
print([span.instrumentation_scope.name for span in sink.spans if span.name != "invoke_agent critic"])
"""


def test_a_call_told_by_anthropics_own_tracing_costs_too(
    environment: dict[str, str], receiver: MetricsReceiver, provider: FakeProvider
) -> None:
    done = run(environment | {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{receiver.base_url}/v1/metrics"}, ANTHROPICS_OWN_TRACING)
    assert (done.stdout, done.stderr) == ("['com.anthropic.sdk.python']\n", "")
    told = wire(provider.exchanges[0])
    usd = pytest.approx((told.input * 3 + told.output * 15) / 1e6, rel=1e-12)
    assert receiver.of("otel_llm.client.cost", "gen_ai.agent.name") == {("critic",): usd}


def test_several_instruments_of_one_provider_add_up(meters: MeterProvider, reader: InMemoryMetricReader) -> None:
    for _ in range(3):
        CallMetrics(meters).record(CALL, Usage(cost=0.25), 1.0, None)
    dimensions = {name: value for name, value in CALL.items() if name != sc.RESPONSE_ID}
    assert measured(reader)["otel_llm.client.cost"] == [(dimensions, 0.75)]
    assert measured(reader)["otel_llm.client.cost"] == [(dimensions, 0.75)]


def test_more_calls_than_can_wait_are_counted_as_of_unknown_cost(
    meters: MeterProvider, reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "MOST_WAITING", 2)
    for _ in range(5):
        CallMetrics(meters).record(CALL, Usage(cost=0.25), 1.0, None)
    found = measured(reader)
    assert [value for _, value in found["otel_llm.client.cost"]] == [0.5]
    ((attributes, calls),) = found["otel_llm.client.unpriced_calls"]
    assert (attributes["otel_llm.reason"], calls) == ("too many calls between two collections", 3)


def test_where_nobody_measures_nothing_waits() -> None:
    nobody = NoOpMeterProvider()
    CallMetrics(nobody).record(CALL, Usage(cost=0.25), 1.0, None)
    assert nobody not in costs._ledgers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_counts_its_own_costs_alone(environment: dict[str, str]) -> None:
    code = """
import json, os
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from otel_llm.metrics import CallMetrics
from otel_llm.protocols.facts import Usage

reader = InMemoryMetricReader()
metrics = CallMetrics(MeterProvider([reader]))
call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "nobody", "gen_ai.request.model": "m"}
metrics.record(call, Usage(cost=1.0), 1.0, None)
if child := os.fork():
    os.waitpid(child, 0)
else:
    metrics.record(call, Usage(cost=0.5), 1.0, None)
data = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
print(json.dumps([p.value for m in data if m.name == "otel_llm.client.cost" for p in m.data.data_points]), flush=True)
"""
    done = run(environment, code)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[0.5], [1.0]]
