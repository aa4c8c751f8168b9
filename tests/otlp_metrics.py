"""A receiver of metrics over OTLP, on loopback: HTTP and gRPC."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from otel_llm.testing.server import LoopbackServer, Request, Response

#: Attributes of a data point, without those that every call of a test has in common.
Labels = frozenset[tuple[str, Any]]


class Points:
    """The latest value of each cumulative series: a sum, or (count, sum) of a histogram."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []

    def of(self, metric: str, *labels: str) -> dict[tuple[Any, ...], Any]:
        """Values by these labels, summed over all others."""
        found: dict[tuple[Any, ...], Any] = {}
        for attributes, value in self._latest(metric).items():
            key = tuple(dict(attributes).get(label) for label in labels)
            found[key] = value if key not in found else _added(found[key], value)
        return found

    @property
    def names(self) -> set[str]:
        return {m.name for r in self.requests for rm in r.resource_metrics for sm in rm.scope_metrics for m in sm.metrics}

    @property
    def services(self) -> set[str]:
        return {
            a.value.string_value
            for r in self.requests
            for rm in r.resource_metrics
            for a in rm.resource.attributes
            if a.key == "service.name"
        }

    def _latest(self, metric: str) -> dict[Labels, Any]:
        found: dict[Labels, Any] = {}
        for request in self.requests:
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for each in scope.metrics:
                        if each.name == metric:
                            found |= _points(each)
        return found


class MetricsReceiver(LoopbackServer, Points):
    """Over HTTP, at ``/v1/metrics``."""

    def __init__(self) -> None:
        LoopbackServer.__init__(self)
        Points.__init__(self)
        self.paths: list[str] = []

    def answer(self, request: Request) -> Response:
        self.paths.append(request.path)
        body = gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
        if request.path == "/v1/metrics":
            self.requests.append(ExportMetricsServiceRequest.FromString(body))
        return Response(headers={"Content-Type": "application/x-protobuf"})


class GrpcPoints(Points, metrics_service_pb2_grpc.MetricsServiceServicer):  # type: ignore[misc]
    """Over gRPC."""

    base_url = ""

    def Export(self, request: ExportMetricsServiceRequest, context: Any) -> Any:  # noqa: N802  (the service's own name)
        self.requests.append(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


@contextmanager
def grpc_receiver() -> Iterator[GrpcPoints]:
    server, points = grpc.server(ThreadPoolExecutor(2)), GrpcPoints()
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(points, server)  # type: ignore[no-untyped-call]
    points.base_url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield points
    server.stop(None).wait()


def _points(metric: Any) -> dict[Labels, Any]:
    kind = metric.WhichOneof("data")
    read = (lambda p: (p.count, p.sum)) if kind == "histogram" else (lambda p: getattr(p, p.WhichOneof("value")))
    return {
        frozenset((a.key, getattr(a.value, a.value.WhichOneof("value"))) for a in point.attributes): read(point)
        for point in getattr(metric, kind).data_points
    }


def _added(one: Any, other: Any) -> Any:
    return tuple(a + b for a, b in zip(one, other, strict=True)) if isinstance(one, tuple) else one + other
