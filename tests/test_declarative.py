"""``deploy/otel-config.yaml``: the SDK builds our exporters and our instrumentor from OpenTelemetry's declarative configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from otlp_metrics import MetricsReceiver

from otel_llm.local_reader import LocalReader
from otel_llm.testing import FakeLangfuse, FakeProvider

pytest.importorskip("opentelemetry.configuration", reason="needs the extra 'declarative'")

SAMPLE = Path(__file__).resolve().parents[1] / "deploy" / "otel-config.yaml"
INSTRUMENTED = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable]
APPLICATION = """
import os, httpx
from opentelemetry import trace
import otel_llm

with otel_llm.identify(user_id="42", session_id="s1"), otel_llm.agent("strategist"):
    with trace.get_tracer("app").start_as_current_span("GET /a-page"):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
        httpx.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=body, headers={"authorization": "Bearer sk-fake"})
"""
LOADED_BY_HAND = (
    "import os\nfrom opentelemetry.configuration import configure_sdk, load_config_file\n"
    "configure_sdk(load_config_file(os.environ['OTEL_CONFIG_FILE']))\n" + APPLICATION
)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(pause_s=0.0) as fake:
        yield fake


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as fake:
        yield fake


@pytest.fixture
def metrics() -> Iterator[MetricsReceiver]:
    with MetricsReceiver() as receiver:
        yield receiver


@pytest.fixture
def environment(provider: FakeProvider, langfuse: FakeLangfuse, metrics: MetricsReceiver, tmp_path: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))}
    others = {entry.name for entry in entry_points(group="opentelemetry_instrumentor")} - {"otel_llm"}
    return inherited | {
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": ",".join(others),  # which take seconds to load
        **langfuse.environment,
        "OTEL_CONFIG_FILE": str(SAMPLE),
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{metrics.base_url}/v1/metrics",
        "OTEL_LLM_STATE_DIR": str(tmp_path / "state"),
        "OTEL_LLM_LOCAL_STORE": str(tmp_path / "traces.sqlite3"),
        "OPENAI_BASE_URL": provider.openai,
        "SERVICE_NAME": "sales-bot",
    }


def run(command: list[str], environment: Mapping[str, str]) -> str:
    """Standard error of a process that ends well."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


WAYS = pytest.mark.parametrize(
    "command",
    [[*INSTRUMENTED, "-c", APPLICATION], [sys.executable, "-c", LOADED_BY_HAND]],
    ids=["opentelemetry-instrument", "loaded by hand"],
)


@WAYS
def test_each_span_arrives_once_and_stamped(command: list[str], environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    run(command, environment)
    agent, generation = sorted(langfuse.observations, key=lambda row: row["type"])
    assert [(row["name"], row["type"]) for row in (agent, generation)] == [
        ("invoke_agent strategist", "AGENT"),
        ("chat gpt-4o", "GENERATION"),
    ]
    # Stamped by our processor: the page's span, which is not sent, lies between the two.
    assert generation["parent_span_id"] == agent["id"]
    assert {(row["user_id"], row["session_id"]) for row in (agent, generation)} == {("42", "s1")}
    assert "Why?" in generation["input"]  # as the file says: content SPAN_ONLY
    assert langfuse.rejected == []


@WAYS
def test_nothing_is_complained_of(command: list[str], environment: dict[str, str], langfuse: FakeLangfuse) -> None:
    complaints = [line for line in run(command, environment).splitlines() if "already instrumented" not in line]
    assert [line for line in complaints if "ignoring configurator kwargs" not in line] == []


def test_the_local_store_is_a_component_too(environment: dict[str, str], tmp_path: Path) -> None:
    run([*INSTRUMENTED, "-c", APPLICATION], environment)
    (trace,) = LocalReader(tmp_path / "traces.sqlite3").recent()
    assert {span.name for span in trace.spans} == {"invoke_agent strategist", "chat gpt-4o"}


def test_the_meter_provider_of_the_file_gets_our_metrics(
    environment: dict[str, str], metrics: MetricsReceiver, provider: FakeProvider
) -> None:
    run([*INSTRUMENTED, "-c", APPLICATION], environment)
    (exchange,) = provider.exchanges
    assert exchange.usage is not None
    assert {kind: total for (kind,), (_, total) in metrics.of("gen_ai.client.token.usage", "gen_ai.token.type").items()} == {
        "input": exchange.usage.input_tokens,
        "output": exchange.usage.output_tokens,
    }
    assert metrics.services == {"sales-bot"}


OPTIONS = """
file_format: "1.1"
tracer_provider:
  processors:
    - simple: {{exporter: {{langfuse: {langfuse}}}}}
instrumentation/development: {{python: {{otel_llm: {otel_llm}}}}}
"""


def configured(tmp_path: Path, langfuse: str = "{}", otel_llm: str = "{}") -> str:
    path = tmp_path / "otel.yaml"
    path.write_text(OPTIONS.format(langfuse=langfuse, otel_llm=otel_llm))
    return str(path)


def test_options_of_an_exporter_are_those_of_its_class(
    environment: dict[str, str], langfuse: FakeLangfuse, tmp_path: Path
) -> None:
    options = "{content: none, drop: [agent], environment: from-the-file, release: v7}"
    environment["OTEL_CONFIG_FILE"] = configured(tmp_path, options, "{content: span_only}")
    run([*INSTRUMENTED, "-c", APPLICATION], environment)
    (generation,) = langfuse.observations
    assert (generation["environment"], generation["release"]) == ("from-the-file", "v7")
    assert "Why?" not in str(generation)


def test_options_of_the_instrumentor_stand_in_for_variables(
    environment: dict[str, str], langfuse: FakeLangfuse, provider: FakeProvider, tmp_path: Path
) -> None:
    environment["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "SPAN_ONLY"
    options = f'{{content: no_content, provider_hosts: {{"127.0.0.1:{provider.port}": our-gateway}}}}'
    environment["OTEL_CONFIG_FILE"] = configured(tmp_path, otel_llm=options)
    run([*INSTRUMENTED, "-c", APPLICATION], environment)
    (generation,) = langfuse.generations
    assert "our-gateway" in str(generation["metadata"])
    assert "Why?" not in str(generation)


@pytest.mark.parametrize(
    ("otel_llm", "fault"),
    [
        ("{content: everything}", "content is 'everything'; it must be one of"),
        ("{provider_hosts: {'http://x/y': z}}", "OTEL_LLM_PROVIDER_HOSTS"),
        ("{propagate_to: ['https://x']}", "OTEL_LLM_PROPAGATE_TO"),
        ("{prices: nowhere.toml}", "nowhere.toml"),
        ("{wrong: 1}", "wrong"),
    ],
)
def test_a_wrong_option_is_told_and_the_application_runs(
    environment: dict[str, str], provider: FakeProvider, tmp_path: Path, otel_llm: str, fault: str
) -> None:
    environment["OTEL_CONFIG_FILE"] = configured(tmp_path, otel_llm=otel_llm)
    assert fault in run([*INSTRUMENTED, "-c", APPLICATION], environment)
    assert len(provider.exchanges) == 1
