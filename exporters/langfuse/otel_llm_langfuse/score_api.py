"""Langfuse's endpoints for scores: which one a server's version takes, and what its answers mean for each score.

Since 4.59 ``POST /api/public/scores`` takes an array. Before, it takes a single object without its time, so that
``/api/public/ingestion`` serves better there. Reasons tell no comments: an answer may quote them.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from otel_llm.content import json_text
from otel_llm.delivery import Outcome, Pause, Retry, Split
from otel_llm.delivery.log_limit import LogLimit
from otel_llm_langfuse.answers import outcome_of, unreachable
from otel_llm_langfuse.score_records import MARK, Score, score_of

_logger = logging.getLogger(__name__)

_HEALTH_PATH: Final = "/api/public/health"
_SCORES_PATH: Final = "/api/public/scores"
_INGESTION_PATH: Final = "/api/public/ingestion"
_JSON: Final = {"content-type": "application/json"}
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)")
_ARRAYS_SINCE: Final = (4, 59)
#: Below the 1 MiB that the server takes as a body.
_MAX_BYTES: Final = 900_000
_ANSWERS_FOR_NONE: Final = frozenset({404, 405})
_ANSWERS_FOR_ONE: Final = frozenset({400, 413, 422})
_LONGEST_REASON: Final = 200


#: What became of records: None for one that was taken, else why it was refused for good.
Verdicts = dict[bytes, str | None]


@dataclass(slots=True)
class ScoreApi:
    """Speaks to one server. ``refused`` counts scores that were refused in an answer that does not say which."""

    base_url: str
    auth: httpx.Auth
    refused: int = 0
    _arrays: bool | None = None
    _log_limit: LogLimit = field(default_factory=lambda: LogLimit(time.monotonic))

    def send(self, records: Sequence[bytes], verdicts: Verdicts, http: httpx.Client, deadline: float) -> Outcome | None:
        """Send scores, and write down what became of each. None if all are settled, else why some are not.

        ``deadline`` is in seconds of the monotonic clock.
        """
        try:
            arrays = self._takes_arrays(http, deadline)
            if not isinstance(arrays, bool):
                return arrays
            for part in _parts(records):
                post = self._post_array if arrays else self._post_events
                outcome = post(part, verdicts, http, deadline)
                if outcome is not None:
                    return outcome
        except httpx.RequestError as error:
            return unreachable(httpx.URL(self.base_url).host, error)
        return None

    def _takes_arrays(self, http: httpx.Client, deadline: float) -> bool | Outcome:
        """By the server's version, asked once; one that tells none is taken for a new one."""
        if self._arrays is None:
            response = http.get(self.base_url + _HEALTH_PATH, timeout=_left_s(deadline))
            version = _VERSION.match(str(_decoded(response).get("version", "")))
            if version is None and response.status_code >= 500:
                return outcome_of(response)
            self._arrays = version is None or (int(version[1]), int(version[2])) >= _ARRAYS_SINCE
        return self._arrays

    def _post_array(self, records: Sequence[bytes], verdicts: Verdicts, http: httpx.Client, deadline: float) -> Outcome | None:
        body = b"[" + b",".join(record[len(MARK) :] for record in records) + b"]"
        response = self._post(http, _SCORES_PATH, body, deadline)
        if not response.is_success:
            return self._refusal(response, records, verdicts)
        answer = _decoded(response)
        rejected = answer.get("rejected") if response.status_code == 207 else 0
        rejected = rejected if isinstance(rejected, int) else 0
        reason = _reason(_messages(answer), records) if rejected else None
        # Langfuse does not say which of an array it refused, and asks not to send such an array again.
        of_each = reason if rejected >= len(records) else None
        verdicts.update(dict.fromkeys(records, of_each))
        if rejected and of_each is None:
            self._tell(rejected, str(reason))
        return None

    def _post_events(self, records: Sequence[bytes], verdicts: Verdicts, http: httpx.Client, deadline: float) -> Outcome | None:
        by_id = {_event_id(record): record for record in records}
        events = [_event(event_id, score_of(record)) for event_id, record in by_id.items()]
        response = self._post(http, _INGESTION_PATH, json_text({"batch": events}).encode(), deadline)
        if not response.is_success:
            return self._refusal(response, records, verdicts)
        failed = {str(error.get("id")): error for error in _errors(_decoded(response))}
        passing = {event_id for event_id, error in failed.items() if _is_passing(error)}
        for event_id, record in by_id.items():
            if event_id not in passing:
                error = failed.get(event_id)
                verdicts[record] = None if error is None else _reason(_texts(error), [record])
        return Retry("Langfuse could not take some scores") if passing else None

    def _post(self, http: httpx.Client, path: str, body: bytes, deadline: float) -> httpx.Response:
        return http.post(self.base_url + path, content=body, headers=_JSON, auth=self.auth, timeout=_left_s(deadline))

    def _refusal(self, response: httpx.Response, records: Sequence[bytes], verdicts: Verdicts) -> Outcome | None:
        """What an answer other than success means. Scores that no server of this kind takes must not hold up the spans."""
        status = response.status_code
        told = f"Langfuse answered {status} to {'a score' if len(records) == 1 else 'scores'}"
        if status in _ANSWERS_FOR_NONE | _ANSWERS_FOR_ONE:
            self._arrays = None  # it may run another version by now
            if status in _ANSWERS_FOR_ONE and len(records) > 1:
                return Split(told)
            verdicts.update(dict.fromkeys(records, _reason([told, *_texts(_decoded(response))], records)))
            return None
        if status in (401, 403):
            return Pause(f"{told}: check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL")
        return outcome_of(response)

    def _tell(self, rejected: int, reason: str) -> None:
        self.refused += rejected
        if self._log_limit.due("refused"):
            _logger.warning(
                "langfuse: %d score(s) refused, not sent again: %s. %d in all so far.", rejected, reason, self.refused
            )


def _parts(records: Sequence[bytes]) -> Iterator[list[bytes]]:
    """The records in pieces that are not too large for one request, unless a single one is."""
    part: list[bytes] = []
    size = 0
    for record in records:
        if part and size + len(record) > _MAX_BYTES:
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record)
    if part:
        yield part


def _event_id(record: bytes) -> str:
    """The same for each try, and another once the score has changed."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, record.decode()))


def _event(event_id: str, score: Score) -> dict[str, Any]:
    """The event's time becomes that of the score."""
    return {"id": event_id, "type": "score-create", "timestamp": score["timestamp"], "body": score}


def _is_passing(error: Mapping[str, Any]) -> bool:
    status = error.get("status")
    return isinstance(status, int) and (status >= 500 or status == 429)


def _decoded(response: httpx.Response) -> Mapping[str, Any]:
    try:
        read = response.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _errors(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    errors = answer.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _messages(answer: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(message for error in _errors(answer) for message in _texts(error)))


def _texts(error: Mapping[str, Any]) -> list[str]:
    """The message of an error, and what is wrong in detail."""
    detail = error.get("error")
    issues = detail if isinstance(detail, list) else [detail]
    told = [error.get("message"), *(issue.get("message") if isinstance(issue, dict) else issue for issue in issues)]
    return [text for text in told if isinstance(text, str)]


def _reason(messages: Sequence[str], records: Sequence[bytes]) -> str:
    """What an answer says, without the comments and texts that it may quote."""
    reason = "; ".join(messages) or "Langfuse gave no reason"
    for record in records:
        score = score_of(record)
        for private in (score.get("comment"), score.get("value")):
            if isinstance(private, str) and private:
                reason = reason.replace(private, "...")
    return reason[:_LONGEST_REASON]


def _left_s(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.05)
