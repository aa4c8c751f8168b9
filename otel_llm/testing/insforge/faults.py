"""Failures to be played, as InsForge was seen to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_llm.testing.insforge.errors import Refused, insforge, postgrest
from otel_llm.testing.server import Response

Kind = Literal[
    "timeout",
    "database_down",
    "deadlock",
    "pool_exhausted",
    "throttled",
    "bad_gateway",
    "proxy_limit",
    "schema_reload",
    "hang_up",
]

_REFUSALS: Final[dict[str, Refused]] = {
    "timeout": insforge(500, "INTERNAL_ERROR", "timeout of 10000ms exceeded"),
    "database_down": insforge(500, "INTERNAL_ERROR", "connect ECONNREFUSED 127.0.0.1:3000"),
    "deadlock": postgrest("40P01", "deadlock detected", details="Process 1 waits for ShareLock on transaction 2."),
    "pool_exhausted": postgrest("PGRST003", "Timed out acquiring connection from connection pool."),
    "throttled": Refused(429, {"error": "TOO_MANY_REQUESTS", "message": "Too many requests", "statusCode": 429}),
    "schema_reload": Refused(404, {}),
}
_PAGES: Final = {
    "bad_gateway": (502, b"<html><head><title>502 Bad Gateway</title></head></html>"),
    "proxy_limit": (413, b"<html><head><title>413 Request Entity Too Large</title></head></html>"),
}


@dataclass(slots=True)
class Fault:
    """An answer to give instead of the regular one, some times; None hangs up."""

    answer: Response | None
    times: int
    #: Whether the request is carried out all the same.
    commit: bool


def answer_of(kind: Kind) -> Response | None:
    """The answer of a kind of failure; None hangs up."""
    if kind == "hang_up":
        return None
    if kind in _PAGES:
        status, page = _PAGES[kind]
        return Response(status, {"Content-Type": "text/html"}, page)
    refusal = _REFUSALS[kind]
    return Response.json(refusal.body, refusal.status, {"Retry-After": "1"} if kind == "throttled" else None)


def own_answer(status: int, body: Any, retry_after: str | None) -> Response:
    """An answer of the test's own; a body that is not bytes goes as JSON."""
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {"Content-Type": "application/json", **headers}, content)
