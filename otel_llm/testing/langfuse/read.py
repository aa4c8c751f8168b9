"""``GET /api/public/v2/observations``: filters, field groups and pages over stored rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from otel_llm.testing.langfuse.filters import Condition, conditions
from otel_llm.testing.langfuse.rows import Row

Query = list[tuple[str, str]]
Page = dict[str, Any]

PROJECT_ID: Final = "fake-project"
_DEFAULT_LIMIT: Final = 50
_MAX_LIMIT: Final = 1000
_METADATA_CHARS: Final = 200


class QueryError(ValueError):
    """The query is answered with 400."""


def observations_page(rows: Iterable[Row], query: Query) -> Page:
    """One page of the API's answer, newest first. Raises QueryError."""
    single = dict(query)
    if single.get("parseIoAsJson") == "true":
        raise QueryError("parseIoAsJson is not supported: input and output are returned as strings")
    limit, after = _limit(single.get("limit")), _cursor(single.get("cursor"))
    try:
        wanted = conditions(query)
        matching = [row for row in rows if _matches(row, wanted)]
    except ValueError as failure:
        raise QueryError(str(failure)) from failure
    ordered = sorted((row for row in matching if after is None or _position(row) < after), key=_position, reverse=True)
    page = ordered[:limit]
    groups = {"core", *(single.get("fields") or "core,basic").split(",")}
    expanded = frozenset((single.get("expandMetadata") or "").split(","))
    more = {"cursor": _cursor_text(page[-1])} if page and len(ordered) > limit else {}
    return {"data": [_observation(row, groups, expanded) for row in page], "meta": more}


def _matches(row: Row, wanted: list[Condition]) -> bool:
    return all(condition(row) for condition in wanted)


def _limit(sent: str | None) -> int:
    limit = int(sent) if sent and sent.isdecimal() else _DEFAULT_LIMIT if sent is None else -1
    if not 0 <= limit <= _MAX_LIMIT:
        raise QueryError(f"limit must be a number from 0 to {_MAX_LIMIT}")
    return limit


def _position(row: Row) -> tuple[int, str, str]:
    """Where a row stands in the order. The server sorts by a hash of the trace id, which an opaque cursor does not show."""
    return row["start_time"], row["trace_id"], row["id"]


def _cursor_text(row: Row) -> str:
    start, trace_id, span_id = _position(row)
    document = json.dumps({"lastStartTimeTo": start, "lastTraceId": trace_id, "lastId": span_id})
    return base64.b64encode(document.encode()).decode()


def _cursor(sent: str | None) -> tuple[int, str, str] | None:
    if sent is None:
        return None
    try:
        document = json.loads(base64.b64decode(sent, validate=True))
        return int(document["lastStartTimeTo"]), str(document["lastTraceId"]), str(document["lastId"])
    except (ValueError, KeyError, TypeError) as failure:
        raise QueryError("Invalid cursor format") from failure


def _observation(row: Row, groups: set[str], expanded: frozenset[str]) -> dict[str, Any]:
    """A row in the names of the API. Groups that do not exist are ignored."""
    answer: dict[str, Any] = {"modelId": None, "inputPrice": None, "outputPrice": None, "totalPrice": None}
    for group, fields in _GROUPS.items():
        if group in groups:
            answer |= {name: row.get(field) for name, field in fields.items()}
    for name in ("startTime", "endTime", "completionStartTime"):
        if name in answer:
            answer[name] = iso(answer[name])
    if "basic" in groups:
        answer |= {"isRootObservation": is_root(row), "public": bool(row.get("public")), "bookmarked": False}
    if "metadata" in groups:
        answer["metadata"] = {
            key: value if key in expanded else value[:_METADATA_CHARS] for key, value in row.get("metadata", {}).items()
        }
    if "usage" in groups:
        answer["totalCost"] = row.get("cost_details", {}).get("total")
    if "metrics" in groups:
        answer |= {"latency": _seconds(row, "end_time"), "timeToFirstToken": _seconds(row, "completion_start_time")}
    return answer | {"projectId": PROJECT_ID}


#: API names to fields of a row, by group.
_GROUPS: Final[dict[str, dict[str, str]]] = {
    "core": {
        "id": "id",
        "traceId": "trace_id",
        "startTime": "start_time",
        "endTime": "end_time",
        "parentObservationId": "parent_span_id",
        "type": "type",
    },
    "basic": {
        "name": "name",
        "level": "level",
        "statusMessage": "status_message",
        "version": "version",
        "environment": "environment",
        "userId": "user_id",
        "sessionId": "session_id",
    },
    "time": {"completionStartTime": "completion_start_time", "createdAt": "created_at", "updatedAt": "updated_at"},
    "io": {"input": "input", "output": "output"},
    "model": {"providedModelName": "model", "internalModelId": "internal_model_id", "modelParameters": "model_parameters"},
    "usage": {"usageDetails": "usage_details", "costDetails": "cost_details", "usagePricingTierName": "pricing_tier"},
    "prompt": {"promptId": "prompt_id", "promptName": "prompt_name", "promptVersion": "prompt_version"},
    "trace_context": {"tags": "tags", "release": "release", "traceName": "trace_name"},
}


def is_root(row: Row) -> bool:
    """Whether the row is a logical root: it has no parent, or the client marked it."""
    return not row.get("parent_span_id") or bool(row.get("is_app_root"))


def iso(microseconds: int | None) -> str | None:
    """A time as the API writes it: milliseconds, UTC, ``Z``."""
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(row: Row, until: str) -> float | None:
    end = row.get(until)
    return None if end is None else (int(end) - int(row["start_time"])) / 1e6
