"""Filters of the observations API: the simple query parameters, and the ``filter`` document, which wins for its column."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from otel_llm.testing.langfuse.rows import Row

Condition = Callable[[Row], bool]

#: Columns of the API to fields of a row.
_COLUMNS: Final = {
    "id": "id",
    "traceId": "trace_id",
    "name": "name",
    "traceName": "trace_name",
    "userId": "user_id",
    "sessionId": "session_id",
    "type": "type",
    "level": "level",
    "version": "version",
    "release": "release",
    "environment": "environment",
    "parentObservationId": "parent_span_id",
    "startTime": "start_time",
    "endTime": "end_time",
    "model": "model",
    "providedModelName": "model",
    "promptName": "prompt_name",
    "tags": "tags",
}
_SIMPLE: Final = ("traceId", "name", "userId", "sessionId", "type", "level", "version", "parentObservationId")
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "contains": lambda value, part: part in value,
    "does not contain": lambda value, part: part not in value,
    "starts with": lambda value, part: value.startswith(part),
    "ends with": lambda value, part: value.endswith(part),
    "any of": lambda value, options: bool(set(value if isinstance(value, list) else [value]) & set(options)),
    "none of": lambda value, options: not set(value if isinstance(value, list) else [value]) & set(options),
}
_OPERATORS: Final = {
    "string": {"=", "contains", "does not contain", "starts with", "ends with"},
    "stringOptions": {"any of", "none of"},
    "arrayOptions": {"any of", "none of"},
    "datetime": {"<", "<=", ">", ">="},
}


def conditions(query: list[tuple[str, str]]) -> list[Condition]:
    """What a row must fulfil. Raises ValueError for a filter that cannot be read or is not emulated."""
    single = dict(query)
    document = _elements(single.get("filter"))
    columns = {element.get("column") for element in document}
    found = [_element(element) for element in document]
    found += [_compare(name, "=", single[name]) for name in _SIMPLE if name in single and name not in columns]
    environments = [value for name, value in query if name == "environment"]
    if environments and "environment" not in columns:
        found.append(_compare("environment", "any of", environments))
    if "startTime" not in columns:
        bounds = (("fromStartTime", ">="), ("toStartTime", "<"))
        found += [_compare("startTime", sign, _microseconds(single[name])) for name, sign in bounds if name in single]
    if "isRootObservation" in single:
        found.append(_is_root(single["isRootObservation"] == "true"))
    return found


def _elements(document: str | None) -> list[dict[str, Any]]:
    elements = json.loads(document) if document else []
    if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
        raise ValueError("filter must be a JSON array of objects")
    return elements


def _element(element: dict[str, Any]) -> Condition:
    kind, column, sign, value = (element.get(key) for key in ("type", "column", "operator", "value"))
    if kind == "boolean" and column == "isRootObservation" and isinstance(value, bool):
        return _is_root(value if sign == "=" else not value)
    if column not in _COLUMNS or sign not in _OPERATORS.get(str(kind), ()):
        raise ValueError(f"filter of type {kind!r} with operator {sign!r} on column {column!r} is not supported")
    return _compare(str(column), str(sign), _microseconds(value) if kind == "datetime" else value)


def _compare(column: str, sign: str, value: Any) -> Condition:
    field, compare = _COLUMNS[column], _COMPARISONS[sign]
    absent: Any = [] if column == "tags" else ""
    return lambda row: compare(row.get(field, absent), value)


def _is_root(wanted: bool) -> Condition:
    return lambda row: (not row.get("parent_span_id") or bool(row.get("is_app_root"))) == wanted


def _microseconds(value: Any) -> int:
    moment = datetime.fromisoformat(str(value))
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000_000)
