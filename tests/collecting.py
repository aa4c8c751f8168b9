"""A real collector with the repository's configuration, and a backend beside Langfuse, for tests."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.server import LoopbackServer, Request, Response

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = ROOT / "collector-config.yaml"
_PORTS = ("GRPC", "HTTP", "HEALTH", "METRICS", "TELEMETRY")
_PATIENCE_S = 60.0
_FIRST_TRIES = 5
#: What a collector says whose port another process has.
_TAKEN = "address already in use"
T = TypeVar("T")


def binary() -> str:
    """The collector that deploy/collector/build has built. Skips the test where it has not been run."""
    found = subprocess.run([ROOT / "deploy/collector/build", "--cached"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def eventually(what: Callable[[], T]) -> T:
    """What comes true at last: the first value that is not false. Raises TimeoutError."""
    end = time.monotonic() + _PATIENCE_S
    while not (value := what()):
        if time.monotonic() > end:
            raise TimeoutError("it has not come true")
        time.sleep(0.05)
    return value


class Collector:
    """An otelcol process. Its queue stays in ``folder`` when it is killed, and so do its ports. ``command`` is one for a shell."""

    def __init__(self, langfuse: FakeLangfuse, folder: Path, *, command: str = "", **environment: str) -> None:
        self.folder = folder
        self._command = ["sh", "-c", f"exec env {command}"] if command else [binary(), "--config", str(CONFIGURATION)]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(Path.home()),
            "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
            "LANGFUSE_SECRET_KEY": langfuse.secret_key,
            "LANGFUSE_BASE_URL": langfuse.base_url,
            "OTEL_LLM_QUEUE_DIR": str(folder / "queue"),
            "OTEL_LLM_RETRY_MAX_INTERVAL": "1s",
            **environment,
        }
        self._choose_ports()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def http(self) -> str:
        """Its OTLP/HTTP endpoint."""
        return f"http://127.0.0.1:{self._ports['HTTP']}"

    @property
    def grpc(self) -> str:
        """Its OTLP/gRPC endpoint."""
        return f"127.0.0.1:{self._ports['GRPC']}"

    def _choose_ports(self) -> None:
        self._ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        self.environment |= {f"OTEL_LLM_COLLECTOR_{name}_PORT": str(port) for name, port in self._ports.items()}

    def start(self) -> Self:
        """Returns once all pipelines run. Raises RuntimeError with its log if it ends instead.

        At the first start it gets other ports where somebody has taken one of its own since they were chosen.
        """
        log = self.folder / "log"
        for tries_left in reversed(range(_FIRST_TRIES if self._process is None else 1)):
            try:
                return self._start(log)
            except RuntimeError as error:
                if not tries_left or _TAKEN not in str(error):
                    raise
                self._choose_ports()
                log.unlink()
        raise AssertionError

    def _start(self, log: Path) -> Self:
        with log.open("ab") as out:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=self.environment, stdout=out, stderr=out)
        eventually(lambda: self._is_up(log))
        return self

    def kill(self) -> None:
        """SIGKILL: it gets to save nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def measured(self, port: str = "METRICS") -> dict[str, float]:
        """Samples of its Prometheus endpoint, or of that of its own telemetry, by name and labels."""
        lines = httpx.get(f"http://127.0.0.1:{self._ports[port]}/metrics", timeout=_PATIENCE_S).text.splitlines()
        return {key: float(value) for key, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def _is_up(self, log: Path) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(log.read_text())
        try:
            return httpx.get(f"http://127.0.0.1:{self._ports['HEALTH']}/").is_success
        except httpx.TransportError:
            return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


class Backend(LoopbackServer):
    """Takes OTLP over HTTP and keeps the spans."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Request] = []
        self.requests: list[ExportTraceServiceRequest] = []

    def answer(self, request: Request) -> Response:
        body = gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body
        self.received.append(request)
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        return Response(200, {"Content-Type": "application/x-protobuf"})

    @property
    def environment(self) -> dict[str, str]:
        """Settings that have a collector send all traces here, as soon as may be."""
        return {
            "OTEL_LLM_GENERAL_EXPORTER": "otlp_http/general",
            "OTEL_LLM_GENERAL_ENDPOINT": self.base_url,
            "OTEL_LLM_SAMPLING_PERCENTAGE": "100",
            "OTEL_LLM_SAMPLING_WAIT": "1s",
        }

    @property
    def spans(self) -> list[Span]:
        groups = (group for request in self.requests for resource in request.resource_spans for group in resource.scope_spans)
        return [span for group in groups for span in group.spans]


def sum_of(samples: dict[str, float], name: str, **labels: str) -> float:
    """The sum of all samples of a name that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(value for key, value in samples.items() if key.split("{")[0] == name and all(each in key for each in wanted))


def send_http(endpoint: str, records: Iterable[bytes]) -> None:
    """One request with all records."""
    answer = httpx.post(
        f"{endpoint}/v1/traces",
        content=b"".join(records),
        headers={"content-type": "application/x-protobuf"},
        timeout=_PATIENCE_S,
    )
    answer.raise_for_status()


def send_grpc(endpoint: str, records: Iterable[bytes]) -> None:
    """One call with all records."""
    with grpc.insecure_channel(endpoint) as channel:
        export: Any = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        export(b"".join(records), timeout=_PATIENCE_S, wait_for_ready=True)


def _free_ports(number: int) -> list[int]:
    """Ports that were free a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports
