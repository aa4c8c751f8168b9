"""``docs/configuration.md`` says what is true: each of its commands is run."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from otlp_metrics import MetricsReceiver

from otel_llm.costs import REASON
from otel_llm.instrumentor_options import InstrumentorOptions
from otel_llm.local_exporter import LocalExporter
from otel_llm.testing import FakeLangfuse, FakeProvider
from otel_llm_insforge import InsForgeExporter
from otel_llm_langfuse import LangfuseExporter

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "configuration.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as fake:
        yield fake


@pytest.fixture
def collector() -> Iterator[MetricsReceiver]:
    with MetricsReceiver() as receiver:
        yield receiver


def run(command: str, langfuse: FakeLangfuse, collector: MetricsReceiver, folder: Path) -> None:
    """As a reader would: in a folder with the files of the page, keys in the environment."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=lambda _, names: {"collector"} & set(names))
    with FakeProvider() as provider:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_", "INSFORGE_"))},
            **langfuse.environment,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OTEL_LLM_STATE_DIR": str(folder),
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.base_url}/v1/metrics",
            "COLLECTOR": collector.base_url,
            "OPENAI_BASE_URL": provider.openai,
            "OPENAI_API_KEY": "sk-fake",
        }
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=[" ".join(re.sub(r"\S+=\S+|\\", "", each).split()) for each in COMMANDS])
def test_each_command_brings_one_call_to_langfuse(
    command: str, langfuse: FakeLangfuse, collector: MetricsReceiver, tmp_path: Path
) -> None:
    if "otel-config" in command or "from_file" in command:
        pytest.importorskip("opentelemetry.configuration", reason="needs the extra 'declarative'")
    run(command, langfuse, collector, tmp_path)
    assert [row["name"] for row in langfuse.observations] == ["chat gpt-4o"]


def test_each_file_of_the_page_is_run() -> None:
    assert {name for name in FILES if any(name in command for command in COMMANDS)} == set(FILES)
    assert PAGE.count("```python") == len(FILES)


def test_the_metrics_of_the_page_are_those_that_arrive(
    langfuse: FakeLangfuse, collector: MetricsReceiver, tmp_path: Path
) -> None:
    run(COMMANDS[-1], langfuse, collector, tmp_path)
    told = set(re.findall(r"^\| `((?:gen_ai|otel_llm)\.client\.[a-z_.]+)`", PAGE, re.MULTILINE))
    arrived = {name for name in collector.names if ".client." in name}
    assert arrived == told - {"gen_ai.client.operation.time_to_first_chunk", "otel_llm.client.unpriced_calls"}
    assert REASON in PAGE


def options(component: str) -> list[str]:
    """The names in the last cell of the component's row, without the examples in parentheses."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{component}` |")]
    cell = re.sub(r"\(.*?\)", "", row.split(" | ")[2])
    return [name for name in re.findall(r"`(\w+)`", cell) if not name[0].isupper()]


@pytest.mark.parametrize(
    ("component", "exporter"), [("langfuse", LangfuseExporter), ("insforge", InsForgeExporter), ("local", LocalExporter)]
)
def test_the_options_of_an_exporter_are_the_arguments_of_its_class(component: str, exporter: Any) -> None:
    arguments = [name for name in inspect.signature(exporter).parameters if name != "mask"]  # a function has no place in YAML
    assert options(component) == arguments


def test_the_options_of_the_instrumentor_are_these() -> None:
    assert options("otel_llm") == [each.name for each in fields(InstrumentorOptions)]
