"""Reads back what Langfuse holds of some traces, by its public API (``GET /api/public/v2/observations``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.errors import DeliveryError

_FIELDS = "core,basic,time,usage,model,metrics,trace_context"
_POLL_S = 0.5


def read_observations(
    base_url: str, public_key: str, secret_key: str, trace_ids: Sequence[str], *, expected: int, timeout_s: float
) -> list[dict[str, Any]]:
    """The observations of ``trace_ids``, polled until there are ``expected`` of them or ``timeout_s`` seconds have passed.

    Langfuse stores what it has accepted a little later, so one reading is not enough. Raises DeliveryError if it cannot be read.
    """
    deadline = time.monotonic() + timeout_s
    with suppress_instrumentation(), httpx.Client(base_url=base_url, auth=(public_key, secret_key), timeout=10) as http:
        while True:
            found = [row for trace_id in trace_ids for row in _of_trace(http, trace_id)]
            if len(found) >= expected or time.monotonic() >= deadline:
                return found
            time.sleep(_POLL_S)


def _of_trace(http: httpx.Client, trace_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    query = {"traceId": trace_id, "fields": _FIELDS, "limit": "1000"}
    while True:
        page = _page(http, query)
        rows += page["data"]
        cursor = page.get("meta", {}).get("cursor")
        if not cursor:
            return rows
        query["cursor"] = cursor


def _page(http: httpx.Client, query: dict[str, str]) -> dict[str, Any]:
    try:
        response = http.get("/api/public/v2/observations", params=query)
        response.raise_for_status()
        page: dict[str, Any] = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise DeliveryError(f"Langfuse has the spans, but its observations cannot be read back: {error}") from error
    return page
