"""A process that is killed while Langfuse is down, with the exporter set up as in this package's README."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from otel_llm.delivery.spool.inspect import Inspector
from otel_llm.delivery.spool.place import spool_place

PATIENCE_S = 30.0
README = Path(__file__).resolve().parents[1] / "README.md"
SPANS = 20

APPLICATION = """
import sys
from opentelemetry.sdk.trace import TracerProvider

tracer_provider = TracerProvider()
{set_up}
for number in range({spans}):
    with tracer_provider.get_tracer("app").start_as_current_span(f"chat {{number}}", attributes={{"gen_ai.operation.name": "chat"}}):
        pass
print("ended", flush=True)
sys.stdin.read()
"""


def test_what_had_ended_before_a_kill_is_on_disk(tmp_path: Path) -> None:
    place = spool_place({"OTEL_LLM_STATE_DIR": str(tmp_path)})
    assert place is not None
    spool = Inspector(place)
    (set_up, *_) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    with socket.socket() as down:
        down.bind(("127.0.0.1", 0))  # and does not listen: connections are refused, and nobody else gets the port
        process = subprocess.Popen(
            [sys.executable, "-c", APPLICATION.format(set_up=set_up, spans=SPANS)],
            env=_environment(tmp_path, f"http://127.0.0.1:{down.getsockname()[1]}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process, process.stdin, process.stdout:
            assert process.stdout.readline() == b"ended\n"
            _eventually(lambda: spool.exists() and [found.spans for found in spool.waiting()] == [SPANS])
            process.kill()
    assert [(found.spans, found.has_sender) for found in spool.waiting()] == [(SPANS, False)]


def _environment(state: Path, base_url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_"))}
    return kept | {
        "OTEL_LLM_STATE_DIR": str(state),
        "OTEL_BSP_SCHEDULE_DELAY": "3600000",  # what a batch processor held would be lost, however slow this machine is
        "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
        "LANGFUSE_SECRET_KEY": "sk-lf-1",
        "LANGFUSE_BASE_URL": base_url,
    }


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
