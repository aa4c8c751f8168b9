"""``docs/collector.md`` says what is true: each of its commands is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from collecting import CONFIGURATION, Backend, Collector, eventually

from otel_llm.testing import FakeLangfuse, FakeProvider

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "collector.md").read_text()
DIRECT, VIA, BOTH = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COLLECTORS = re.findall(r"```sh collector\n(.*?)```", PAGE, re.DOTALL)
(APPLICATION,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


def run(command: str, folder: Path, **variables: str) -> None:
    """As a reader would, in a folder with the application of the page."""
    (folder / "app.py").write_text(APPLICATION)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_"))}
    with FakeProvider() as provider:
        environment = {
            **outside,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OTEL_LLM_STATE_DIR": str(folder),
            "OPENAI_BASE_URL": provider.openai,
            "OPENAI_API_KEY": "sk-fake",
            **variables,
        }
        done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def names(langfuse: FakeLangfuse) -> list[str]:
    return [row["name"] for row in langfuse.wait_for(1, 30)]


def test_direct(langfuse: FakeLangfuse, tmp_path: Path) -> None:
    run(DIRECT, tmp_path, **langfuse.environment)

    assert names(langfuse) == ["chat gpt-4o"]


def test_through_a_collector(langfuse: FakeLangfuse, tmp_path: Path) -> None:
    with Collector(langfuse, tmp_path, command=COLLECTORS[0]) as collector:
        run(VIA, tmp_path, COLLECTOR=collector.http)

        assert names(langfuse) == ["chat gpt-4o"]


def test_both_backends(langfuse: FakeLangfuse, tmp_path: Path) -> None:
    with Backend() as backend:
        soon = {"OTEL_LLM_SAMPLING_WAIT": "1s", "OTEL_LLM_SAMPLING_PERCENTAGE": "100"}
        with Collector(langfuse, tmp_path, command=COLLECTORS[1], BACKEND=backend.base_url, **soon) as collector:
            run(BOTH, tmp_path, COLLECTOR=collector.http)

            assert names(langfuse) == ["chat gpt-4o"]
            eventually(lambda: backend.spans)
            assert "chat gpt-4o" in [span.name for span in backend.spans]
            assert sum(request.spans for request in langfuse.requests) == 1


def test_each_variable_of_the_configuration_is_told_of() -> None:
    used = set(re.findall(r"\$\{env:(\w+)", CONFIGURATION.read_text()))
    told = set(re.findall(r"`([A-Z][A-Z_]+)`", PAGE))
    for first, more in re.findall(r"`(OTEL_LLM_[A-Z]+_)[A-Z_]+`((?:, `_[A-Z_]+`)+)", PAGE):
        told |= {first[:-1] + name for name in re.findall(r"_[A-Z_]+", more)}

    assert used - told == set()
