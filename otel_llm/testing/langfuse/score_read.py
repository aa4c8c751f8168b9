"""``GET /api/public/v3/scores``: filters, field groups and pages over stored scores."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from otel_llm.testing.langfuse.read import PROJECT_ID, Page, Query, QueryError, iso

Row = dict[str, Any]

_DEFAULT_LIMIT: Final = 50
_MAX_LIMIT: Final = 100
_GROUPS: Final = frozenset({"details", "subject", "annotation"})
#: Query parameters that take a comma list of values, any of which will do, and their fields.
_LISTS: Final = {
    "id": "id",
    "name": "name",
    "source": "source",
    "dataType": "data_type",
    "environment": "environment",
    "configId": "config_id",
    "queueId": "queue_id",
    "authorUserId": "author_user_id",
    "traceId": "trace_id",
    "sessionId": "session_id",
    "observationId": "observation_id",
    "experimentId": "experiment_id",
}
_UNSUPPORTED: Final = ("userId", "traceTags")


def scores_page(rows: Iterable[Row], query: Query) -> Page:
    """One page of the API's answer, newest first. Raises QueryError."""
    asked = dict(query)
    limit, groups = _limit(asked.get("limit")), _checked(asked)
    after = _cursor(asked.get("cursor"))
    matching = sorted((row for row in rows if _matches(row, asked)), key=_position, reverse=True)
    left = [row for row in matching if after is None or _position(row) < after]
    more = {"cursor": _cursor_text(left[limit - 1])} if 0 < limit < len(left) else {}
    return {"data": [_score(row, groups) for row in left[:limit]], "meta": {"limit": limit, **more}}


def _checked(asked: dict[str, str]) -> set[str]:
    """The field groups. Raises QueryError for whatever the API does not take."""
    groups = {name for name in (asked.get("fields") or "").split(",") if name}
    if unknown := groups - _GROUPS - {"core"}:
        raise QueryError(f"unknown field groups: {', '.join(sorted(unknown))}")
    if sum(name in asked for name in ("traceId", "sessionId", "experimentId")) > 1:
        raise QueryError("traceId, sessionId and experimentId exclude one another")
    if "observationId" in asked and "traceId" not in asked:
        raise QueryError("observationId requires traceId")
    if "value" in asked and ("dataType" not in asked or "," in asked["dataType"]):
        raise QueryError("value requires exactly one dataType")
    if found := next((name for name in _UNSUPPORTED if name in asked), None):
        raise QueryError(f"{found} is not supported")
    return groups


def _matches(row: Row, asked: dict[str, str]) -> bool:
    lists = all(str(row.get(field, "")) in asked[name].split(",") for name, field in _LISTS.items() if name in asked)
    value = "value" not in asked or json.dumps(row["value"]).strip('"') in asked["value"].split(",")
    return lists and value and _in_bounds(row, asked)


def _in_bounds(row: Row, asked: dict[str, str]) -> bool:
    since, until = _microseconds(asked.get("fromTimestamp")), _microseconds(asked.get("toTimestamp"))
    low, high = float(asked.get("valueMin", "-inf")), float(asked.get("valueMax", "inf"))
    number = row["value"] if isinstance(row["value"], (int, float)) else None
    in_time = (since is None or row["timestamp"] >= since) and (until is None or row["timestamp"] < until)
    return in_time and (not {"valueMin", "valueMax"} & asked.keys() or (number is not None and low <= number <= high))


def _score(row: Row, groups: set[str]) -> dict[str, Any]:
    """A row in the names of the API."""
    time = iso(row["timestamp"])
    answer = {
        "id": row["id"],
        "projectId": PROJECT_ID,
        "name": row["name"],
        "value": row["value"],
        "dataType": row["data_type"],
        "source": row["source"],
        "environment": row["environment"],
        "timestamp": time,
        "createdAt": time,
        "updatedAt": time,
    }
    if "details" in groups:
        answer |= {"comment": row.get("comment"), "configId": row.get("config_id"), "metadata": row.get("metadata", {})}
    if "annotation" in groups:
        answer |= {"authorUserId": row.get("author_user_id"), "queueId": row.get("queue_id")}
    return answer | ({"subject": _subject(row)} if "subject" in groups else {})


def _subject(row: Row) -> dict[str, Any]:
    if "observation_id" in row:
        return {"kind": "observation", "id": row["observation_id"], "traceId": row["trace_id"]}
    kinds = {"trace_id": "trace", "session_id": "session", "dataset_run_id": "experiment"}
    return next({"kind": kind, "id": row[field]} for field, kind in kinds.items() if field in row)


def _limit(sent: str | None) -> int:
    limit = _DEFAULT_LIMIT if sent is None else int(sent) if sent.isdecimal() else -1
    if not 1 <= limit <= _MAX_LIMIT:
        raise QueryError(f"limit must be a number from 1 to {_MAX_LIMIT}")
    return limit


def _position(row: Row) -> tuple[int, str, str]:
    return row["timestamp"], row["name"], row["id"]


def _cursor_text(row: Row) -> str:
    return base64.urlsafe_b64encode(json.dumps(_position(row)).encode()).decode()


def _cursor(sent: str | None) -> tuple[int, str, str] | None:
    if sent is None:
        return None
    try:
        timestamp, name, score_id = json.loads(base64.urlsafe_b64decode(sent))
        return int(timestamp), str(name), str(score_id)
    except (ValueError, TypeError) as failure:
        raise QueryError("Invalid cursor format") from failure


def _microseconds(sent: str | None) -> int | None:
    try:
        return None if sent is None else round(datetime.fromisoformat(sent).timestamp() * 1_000_000)
    except ValueError as failure:
        raise QueryError("Invalid ISO datetime") from failure
