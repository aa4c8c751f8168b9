"""The plain OTLP exporter, if ``OTEL_TRACES_EXPORTER`` names it: whether its endpoint takes an empty export."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import httpx

from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.probe import Answer, UnreachableError, ask

_NAMES: Final = frozenset({"otlp", "otlp_proto_http", "otlp_proto_grpc"})
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_TRACES_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
_HEADERS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_LANGFUSE_PATH: Final = "/api/public/otel"


def otlp_findings(environ: Mapping[str, str], *, timeout_s: float, offline: bool) -> list[Finding]:
    """Nothing unless an OTLP exporter is named."""
    named = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")} & _NAMES
    if not named:
        return []
    grpc = "otlp_proto_grpc" in named or (named == {"otlp"} and _first(environ, _PROTOCOLS) == "grpc")
    variable = _TRACES_ENDPOINT if environ.get(_TRACES_ENDPOINT) else _ENDPOINT
    try:
        url = httpx.URL(_address(environ, grpc))
    except httpx.InvalidURL:
        return [Finding(Level.FAULT, variable, "is not a URL", "Set it to http://host:port")]
    if url.scheme not in ("http", "https") or not url.host:
        return [Finding(Level.FAULT, variable, "is not an http:// or https:// URL", "Set it to http://host:port")]
    found = _of_langfuse(url, variable, environ, grpc)
    if offline:
        return found
    return found + (_connected(url, variable, timeout_s) if grpc else _exported(url, variable, environ, timeout_s))


def _address(environ: Mapping[str, str], grpc: bool) -> str:
    if traces := environ.get(_TRACES_ENDPOINT):
        return traces
    base = environ.get(_ENDPOINT) or f"http://localhost:{4317 if grpc else 4318}"
    return base if grpc else f"{base.rstrip('/')}/v1/traces"


def _of_langfuse(url: httpx.URL, variable: str, environ: Mapping[str, str], grpc: bool) -> list[Finding]:
    if _LANGFUSE_PATH not in url.path:
        return []
    if grpc:
        return [Finding(Level.FAULT, variable, "is Langfuse, which has no gRPC", f"Set {_PROTOCOLS[0]}=http/protobuf")]
    if not environ.get("LANGFUSE_PUBLIC_KEY"):
        return []
    what = "is Langfuse, and LANGFUSE_* is set too: each span is sent twice, and the plain one may win"
    return [Finding(Level.WARNING, variable, what, "Take otlp out of OTEL_TRACES_EXPORTER, or point it at a collector")]


def _exported(url: httpx.URL, variable: str, environ: Mapping[str, str], timeout_s: float) -> list[Finding]:
    headers = {"content-type": "application/x-protobuf", **_sent(_first(environ, _HEADERS))}
    try:
        answer = ask("POST", str(url), timeout_s=timeout_s, headers=headers, content=b"")
    except UnreachableError as error:
        return [_unreachable(variable, url, str(error))]
    return [_judged(answer, variable, url)]


def _judged(answer: Answer, variable: str, url: httpx.URL) -> Finding:
    place = _place(url)
    if 200 <= answer.status < 300:
        return Finding(Level.OK, "otlp", f"{place} takes spans")
    if answer.status in (401, 403):
        return Finding(
            Level.FAULT, _HEADERS[1], f"is missing or refused: {place} answered {answer.status}", "Check the credentials"
        )
    if answer.redirected_to or answer.status in (404, 405):
        what = f"{place} is not an OTLP endpoint: it answered {answer.status}"
        return Finding(Level.FAULT, variable, what, f"Check {variable}; for {_ENDPOINT}, /v1/traces is added")
    return Finding(Level.WARNING, variable, f"{place} answered {answer.status}", "Look at the log of that server")


def _connected(url: httpx.URL, variable: str, timeout_s: float) -> list[Finding]:
    try:
        socket.create_connection((url.host, url.port or 4317), timeout=timeout_s).close()
    except OSError as error:
        return [_unreachable(variable, url, f"the connection fails ({type(error).__name__})")]
    return [Finding(Level.OK, "otlp", f"{_place(url)} can be reached (gRPC)")]


def _unreachable(variable: str, url: httpx.URL, why: str) -> Finding:
    return Finding(
        Level.FAULT, variable, f"{_place(url)} cannot be reached: {why}", "Start the collector, or correct the address"
    )


def _place(url: httpx.URL) -> str:
    return f"{url.host}:{url.port}" if url.port else url.host


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environ.get(name, "").strip())), "")


def _sent(text: str) -> dict[str, str]:
    """``name=value,...`` with percent-encoding, as the exporter reads it; what is not of that form is left out."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {unquote(name).strip().lower(): unquote(value).strip() for name, _, value in pairs}
