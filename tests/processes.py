"""Processes of Python that record something and are then ended by whatever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 120.0
#: A signal without a server: what a worker of one's own does. It waits in short sleeps: ``signal.pause()`` would wait for ever if the
#: signal came just before it.
WORKER = """
import asyncio, sys, threading, time
import otel_llm

otel_llm.configure(service_name="worker")

def work(name):
    with otel_llm.agent(name):
        pass

def ready():
    print("ready", flush=True)
"""


@contextmanager
def process(command: Sequence[str], tmp_path: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process in ``tmp_path``, which is killed if the test does not end it."""
    with (tmp_path / "errors").open("w") as errors:
        started = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        assert started.stdout is not None
        started.stdout.close()
    assert "Traceback" not in (tmp_path / "errors").read_text()


def ended_by_sigterm(script: str, tmp_path: Path, environment: dict[str, str], *, beginning: str = WORKER) -> int:
    """The status of a process that gets SIGTERM once it is ready."""
    with process((sys.executable, "-c", beginning + script), tmp_path, environment) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        worker.terminate()
        return worker.wait(PATIENCE_S)
