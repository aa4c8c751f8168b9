"""SIGTERM, as a container's end is told to a server."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from faults.processes import PATIENCE_S, World

REQUESTS = 20

#: The module that must be installed, and what comes after it on the command line.
SERVERS = {
    "uvicorn": ("uvicorn", ["asgi:application", "--uds", "{socket}", "--lifespan", "on"]),
    "gunicorn": ("gunicorn", ["asgi:application", "--bind", "unix:{socket}", "-k", "uvicorn_worker.UvicornWorker"]),
    "hypercorn": ("hypercorn", ["asgi:application", "--bind", "unix:{socket}"]),
}


def call(path: Path) -> None:
    """Make some requests, as soon as somebody answers."""
    deadline = time.monotonic() + PATIENCE_S
    while not answers(path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://localhost", timeout=PATIENCE_S) as client:
        for _ in range(REQUESTS):
            client.get("/").raise_for_status()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.mark.parametrize(("server", "mode"), [*((server, "ok") for server in SERVERS), ("uvicorn", "503")])
def test_sigterm_under_a_server(server: str, mode: str, world: World, measured: Callable[..., None]) -> None:
    module, arguments = SERVERS[server]
    pytest.importorskip(module)
    if "uvicorn_worker" in " ".join(arguments):
        pytest.importorskip("uvicorn_worker")
    world.backend.behave(mode)
    path = world.directory / "s"
    started = world.converse([sys.executable, "-m", module, *(argument.format(socket=path) for argument in arguments)])
    call(path)
    begin = time.monotonic()
    started.process.send_signal(signal.SIGTERM)
    started.wait()
    seconds = round(time.monotonic() - begin, 2)
    if mode != "ok":
        world.deliver_the_rest()
    measured(f"SIGTERM, {server}" + ("" if mode == "ok" else f", {mode}"), world, seconds=seconds)
    assert len(world.ended()) == 2 * REQUESTS
    world.assert_nothing_is_lost()
