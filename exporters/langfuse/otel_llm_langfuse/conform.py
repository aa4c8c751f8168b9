"""The types that Langfuse insists on. One wrong type makes its older write path drop a whole observation, silently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import as_amount, as_count, as_text, parsed_json, texts, unquoted

_LONGEST_TRACE_NAME: Final = 1000
_METADATA: Final = (names.METADATA_PREFIX, names.TRACE_METADATA_PREFIX)
#: Values that OTLP can always carry.
_FITTING: Final = bool | float


def conform(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """``attributes`` in types and values that OTLP and Langfuse take; what cannot be made so is left out."""
    taken: dict[str, AttributeValue] = {}
    for name, given in attributes.items():
        rule = _RULES.get(name, _sendable)
        value = unquoted(given) if name.startswith(_METADATA) else given
        if (checked := rule(value)) is not None:
            taken[encodable(name)] = checked
    if (names.PROMPT_NAME in taken) != (names.PROMPT_VERSION in taken):
        taken.pop(names.PROMPT_NAME, None)
        taken.pop(names.PROMPT_VERSION, None)
    return taken


def encodable(value: str) -> str:
    """Text that UTF-8 can tell; half surrogate pairs become question marks."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value


def _text(value: Any) -> str | None:
    read = as_text(value)
    return encodable(read) if read else None


def _trace_name(value: Any) -> str | None:
    read = _text(value)
    return read[:_LONGEST_TRACE_NAME] if read else None


def _costs(value: Any) -> str | None:
    """JSON text of an object of numbers with a total, without which a trace shows no cost."""
    read = _object(value)
    costs = {bucket: cost for bucket, given in read.items() if (cost := as_amount(given)) is not None}
    return json_text({"total": sum(costs.values()), **costs}) if costs else None


def _json_object(value: Any) -> str | None:
    """JSON text of an object; an empty one would hide what Langfuse finds elsewhere."""
    read = _object(value)
    return json_text(read) if read else None


def _object(value: Any) -> dict[str, Any]:
    read = parsed_json(value)
    return dict(read) if isinstance(read, Mapping) else {}


def _time(value: Any) -> str | None:
    """ISO 8601 in UTC; a time without a zone is taken to be so."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.strip('"'))
        zoned = read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return zoned.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _sendable(value: Any) -> AttributeValue | None:
    """A value as it is, but for what OTLP cannot carry."""
    if isinstance(value, str):
        return encodable(value)
    if value is None or isinstance(value, _FITTING):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, list | tuple):
        return [item for item in map(_sendable, value) if item is not None]
    return _text(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


_RULES: Final[Mapping[str, Callable[[Any], AttributeValue | None]]] = {
    names.TYPE: _text,
    names.INPUT: _text,
    names.OUTPUT: _text,
    names.LEVEL: _text,
    names.STATUS_MESSAGE: _text,
    names.MODEL: _text,
    names.MODEL_PARAMETERS: _json_object,
    names.USAGE_DETAILS: _json_object,
    names.COST_DETAILS: _costs,
    names.COMPLETION_START_TIME: _time,
    names.PROMPT_NAME: _text,
    names.PROMPT_VERSION: as_count,
    names.USER_ID: _text,
    names.SESSION_ID: _text,
    names.TRACE_NAME: _trace_name,
    names.TRACE_TAGS: lambda value: [encodable(tag) for tag in texts({"": value}, "")] or None,
    names.ENVIRONMENT: _text,
    names.RELEASE: _text,
    names.VERSION: _text,
    names.IS_APP_ROOT: _flag,
    names.AS_ROOT: _flag,
    "langfuse.trace.public": _flag,
    sc.USER_ID: _text,
    sc.SESSION_ID: _text,
    sc.CONVERSATION_ID: _text,
}
