"""Scores: what was sent by either endpoint, as it would be stored."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from otel_llm.testing.langfuse.read import QueryError
from otel_llm.testing.langfuse.score_read import scores_page
from otel_llm.testing.langfuse.score_schema import data_type, score_fault
from otel_llm.testing.server import Request, Response

Row = dict[str, Any]

SCORES_PATH: Final = "/api/public/scores"
_READ_PATH: Final = "/api/public/v3/scores"
_INGESTION_PATH: Final = "/api/public/ingestion"
#: From this version on, ``POST /scores`` takes an array; before, one object.
_ARRAYS_SINCE: Final = (4, 59)
_LARGEST_ARRAY: Final = 1024 * 1024
_LARGEST_INGESTION: Final = 4_500_000
#: Fields that a later write of the same score cannot change.
_IMMUTABLE: Final = ("timestamp", "trace_id", "environment")
_FIELDS: Final = {
    "traceId": "trace_id",
    "observationId": "observation_id",
    "sessionId": "session_id",
    "datasetRunId": "dataset_run_id",
    "comment": "comment",
    "metadata": "metadata",
    "configId": "config_id",
    "queueId": "queue_id",
}


class ScoreStore:
    """The scores and their endpoints. ``version`` tells the server's version, which decides on the form of a request.

    Score configs are not emulated: any ``configId`` will do.
    """

    def __init__(self, version: Callable[[], str]) -> None:
        self._version = version
        self._changed = threading.Condition()
        self._rows: dict[tuple[str, str, int], Row] = {}

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._rows.clear()

    def rows(self) -> list[Row]:
        """Stored scores in the order of their first write; ``timestamp`` in integer microseconds, what is empty is absent."""
        with self._changed:
            return [dict(row) for row in self._rows.values()]

    def wait(self, count: int, timeout_s: float) -> bool:
        """Wait until ``count`` scores are stored."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._rows) >= count, timeout_s)

    def answer(self, request: Request) -> Response | None:
        """The answer to a request about scores; None if it is about something else."""
        if (request.method, request.path) == ("POST", SCORES_PATH):
            return self._post_array(request) if takes_arrays(self._version()) else self._post_object(request)
        if (request.method, request.path) == ("POST", _INGESTION_PATH):
            return self._ingest(request)
        if (request.method, request.path) == ("GET", _READ_PATH):
            return self._read(request)
        if request.method == "DELETE" and request.path.startswith(f"{SCORES_PATH}/"):
            return self._delete(request.path.removeprefix(f"{SCORES_PATH}/"))
        return None

    def _post_object(self, request: Request) -> Response:
        body = _decoded(request)
        if fault := score_fault(body):
            return _refused(fault)
        # This version does not take the time of a score: it strips it.
        return Response.json({"id": self._store({**body, "timestamp": None})})

    def _post_array(self, request: Request) -> Response:
        if len(request.body) > _LARGEST_ARRAY:
            return _too_large("1mb")
        body = _decoded(request)
        if not isinstance(body, list):
            return _refused("Invalid input: expected array, received object")
        faults = [fault for item in body if (fault := self._store_if_valid(item))]
        if not faults:
            return Response.json({"message": "Accepted"}, 202)
        errors = [{"message": fault} for fault in faults]
        return Response.json({"accepted": len(body) - len(faults), "rejected": len(faults), "errors": errors}, 207)

    def _store_if_valid(self, body: Any) -> str | None:
        fault = score_fault(body)
        if fault is None:
            self._store(body)
        return fault

    def _ingest(self, request: Request) -> Response:
        if len(request.body) > _LARGEST_INGESTION:
            return _too_large("4.5mb")
        body = _decoded(request)
        batch = body.get("batch") if isinstance(body, Mapping) else None
        if not isinstance(batch, list):
            return _refused("batch: expected array")
        answers = [(event, self._ingest_event(event)) for event in batch]
        return Response.json(
            {
                "successes": [{"id": _id(event), "status": 201} for event, fault in answers if fault is None],
                "errors": [
                    {"id": _id(event), "status": 400, "message": "Invalid request data", "error": fault}
                    for event, fault in answers
                    if fault is not None
                ],
            },
            207,
        )

    def _ingest_event(self, event: Any) -> str | None:
        """Why an event is refused. Its own time becomes that of the score."""
        if not isinstance(event, Mapping) or not event.get("id") or not event.get("timestamp"):
            return "an event needs id, timestamp, type and body"
        if event.get("type") != "score-create":
            return f"events of type {event.get('type')} are not accepted in events_only mode"
        body = event.get("body")
        return self._store_if_valid({**body, "timestamp": event["timestamp"]} if isinstance(body, Mapping) else body)

    def _store(self, body: Mapping[str, Any]) -> str:
        row = _row(body)
        key = row["id"], row["name"], row["timestamp"] // 86_400_000_000
        with self._changed:
            known = self._rows.get(key, {})
            self._rows[key] = known | row | {name: known[name] for name in _IMMUTABLE if name in known}
            self._changed.notify_all()
        return str(row["id"])

    def _read(self, request: Request) -> Response:
        try:
            return Response.json(scores_page(self.rows(), request.query))
        except QueryError as failure:
            return _refused(str(failure))

    def _delete(self, score_id: str) -> Response:
        with self._changed:
            found = [key for key in self._rows if key[0] == score_id]
            for key in found:
                del self._rows[key]
        if not found:
            return Response.json({"message": "Score not found", "error": "LangfuseNotFoundError"}, 404)
        return Response.json({"message": "Score deletion queued"}, 202)


def takes_arrays(version: str) -> bool:
    """Whether ``POST /scores`` of this version takes an array, rather than one object."""
    return tuple(int(part) for part in version.split(".")[:2]) >= _ARRAYS_SINCE


def _row(body: Mapping[str, Any]) -> Row:
    kind = data_type(body)
    sent = body.get("timestamp")
    moment = datetime.fromisoformat(sent).timestamp() if sent else time.time()
    row = {
        "id": body.get("id") or str(uuid.uuid4()),
        "name": body["name"],
        "value": bool(body["value"]) if kind == "BOOLEAN" else body["value"],
        "data_type": kind,
        "source": body.get("source") or "API",
        "environment": body.get("environment") or "default",
        "timestamp": round(moment * 1000) * 1000,
    }
    return row | {field: body[name] for name, field in _FIELDS.items() if body.get(name)}


def _decoded(request: Request) -> Any:
    try:
        return request.json()
    except ValueError:
        return None


def _id(event: Any) -> Any:
    return event.get("id") if isinstance(event, Mapping) else None


def _refused(fault: str) -> Response:
    return Response.json({"message": "Invalid request data", "error": [{"message": fault}]}, 400)


def _too_large(limit: Literal["1mb", "4.5mb"]) -> Response:
    return Response.json({"message": f"Body exceeded {limit} limit", "error": "PayloadTooLarge"}, 413)
