"""Scores of traces, observations and sessions, delivered as the spans are: they wait, are tried again, and are kept as long."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from otel_llm_langfuse.current import Here, current_trace_id, here, hex_id, is_disabled, process_resource
from otel_llm_langfuse.deliveries import deliver, project_for
from otel_llm_langfuse.score_records import score_span
from otel_llm_langfuse.score_values import DataType, Value, checked_metadata, checked_name, checked_time, typed_value
from otel_llm_langfuse.settings import LangfuseSettings

_TIMES_REMEMBERED: Final = 10_000
_API: Final = "API"


class Subject(NamedTuple):
    """What is scored: a trace, an observation of it, or a session."""

    trace_id: str | None
    observation_id: str | None
    session_id: str | None


def score(
    name: str,
    value: Value,
    *,
    trace_id: str | int | None = None,
    observation_id: str | int | None = None,
    session_id: str | None = None,
    data_type: DataType | None = None,
    comment: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    config_id: str | None = None,
    score_id: str | None = None,
    timestamp: datetime | None = None,
    settings: LangfuseSettings | None = None,
) -> str:
    """Score what is named, else the current observation: the current span, or the nearest one above it that Langfuse gets.

    A bool is BOOLEAN, a number NUMERIC, a text CATEGORICAL, unless ``data_type`` says otherwise. Returns the score's id. By default
    it depends on what is scored and on ``name``, so that a score which is given again replaces the one before; on another day and
    from another process, give the first one's ``timestamp`` with it. ``settings`` says which project where there are several.

    Only puts the score into the queue of the Langfuse delivery, and never fails for reasons of the network. Raises ValueError for a
    value or an id that will not do and where there is nothing to score, and ConfigurationError if nothing delivers to Langfuse.
    """
    place = here()
    subject = _subject(place, hex_id(trace_id, 32), hex_id(observation_id, 16), session_id)
    details = {"comment": comment, "metadata": checked_metadata(metadata), "configId": config_id}
    return give(checked_name(name), value, subject, place, data_type, details, score_id, timestamp, settings)


def score_trace(
    name: str,
    value: Value,
    *,
    data_type: DataType | None = None,
    comment: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    config_id: str | None = None,
    score_id: str | None = None,
    timestamp: datetime | None = None,
    settings: LangfuseSettings | None = None,
) -> str:
    """Score the current trace as a whole. Otherwise as :func:`score`."""
    place = here()
    details = {"comment": comment, "metadata": checked_metadata(metadata), "configId": config_id}
    subject = Subject(current_trace_id(place), None, None)
    return give(checked_name(name), value, subject, place, data_type, details, score_id, timestamp, settings)


def feedback(
    value: Value,
    *,
    trace_id: str | int | None = None,
    observation_id: str | int | None = None,
    session_id: str | None = None,
    comment: str | None = None,
    user_id: str | int | None = None,
    name: str = "user-feedback",
    timestamp: datetime | None = None,
    settings: LangfuseSettings | None = None,
) -> str:
    """What a user thinks: True or False for a thumb, a number or a word; of the trace named, else of the current one.

    Each ``user_id`` has one opinion of a trace, and may change it. Otherwise as :func:`score`.
    """
    place = here()
    named = hex_id(trace_id, 32), hex_id(observation_id, 16), session_id
    subject = Subject(current_trace_id(place), None, None) if named == (None, None, None) else _subject(place, *named)
    author = None if user_id is None else str(user_id)
    details = {"comment": comment, "metadata": None if author is None else {"user_id": author}}
    return give(checked_name(name), value, subject, place, None, details, None, timestamp, settings, author=author)


def give(
    name: str,
    value: Value,
    subject: Subject,
    place: Here | None,
    data_type: DataType | None,
    details: Mapping[str, Any],
    score_id: str | None,
    timestamp: datetime | None,
    settings: LangfuseSettings | None,
    *,
    author: str | None = None,
) -> str:
    """Hand a score over to the deliveries. Nothing is sent of a trace that is not sampled, nor with the SDK disabled."""
    typed, kind = typed_value(name, value, data_type)
    used_id = score_id or _id_of(subject, name, author)
    time = _times.first(used_id, name, checked_time(timestamp)) if timestamp is None else checked_time(timestamp)
    given = {
        "id": used_id,
        "traceId": subject.trace_id,
        "observationId": subject.observation_id,
        "sessionId": subject.session_id,
        "name": name,
        "value": typed,
        "dataType": kind,
        **details,
        "timestamp": time,
    }
    if _is_recorded(subject, place):
        resource = process_resource() if place is None else place.resource
        told = {key: item for key, item in given.items() if item is not None}
        deliver(score_span(told, resource, project_for(settings, place)), settings)
    return used_id


def _is_recorded(subject: Subject, place: Here | None) -> bool:
    if is_disabled():
        return False
    return place is None or subject.trace_id != place.trace_id or place.context.trace_flags.sampled


def _subject(place: Here | None, trace_id: str | None, observation_id: str | None, session_id: str | None) -> Subject:
    if session_id is not None:
        if trace_id is not None or observation_id is not None:
            raise ValueError("a score is of a trace, an observation or a session: give session_id alone")
        return Subject(None, None, session_id)
    if observation_id is not None:
        return Subject(trace_id or current_trace_id(place), observation_id, None)
    if trace_id is not None:
        return Subject(trace_id, None, None)
    return Subject(current_trace_id(place), None if place is None else place.observation_id, None)


def _id_of(subject: Subject, name: str, author: str | None) -> str:
    """The same for the same subject, name and author."""
    told = "\x00".join(part or "" for part in (*subject, name, _API, author))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class _FirstTimes:
    """When scores were first given: Langfuse keeps two rows of one id if their days differ."""

    def __init__(self) -> None:
        self._times: OrderedDict[tuple[str, str], str] = OrderedDict()

    def first(self, score_id: str, name: str, now: str) -> str:
        """Each step is atomic, so that no lock is needed, which a forked child might find held."""
        time = self._times.setdefault((score_id, name), now)
        if len(self._times) > _TIMES_REMEMBERED:
            self._times.popitem(last=False)
        return time


_times = _FirstTimes()
