"""Spans of other emitters, told in the conventions' attributes: OpenInference, OpenLLMetry, older spellings, message events. Pure.

Each old spelling is known here and nowhere else, so what comes after this room reads the conventions alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.dialects import (
    flat_messages,
    message_events,
    older,
    openinference,
    openllmetry,
    structured,
    timing,
    usage,
    vercel,
    words,
)
from otel_llm.dialects.reading import Reading
from otel_llm.version import SCOPE

#: What each adds to the attributes so far (None if it knows none of them), in this order: where two tell
#: the same, the first one counts.
_DIALECTS: Final[tuple[Callable[[Mapping[str, Any], ReadableSpan], Reading | None], ...]] = (
    message_events.read,
    openinference.read,
    openllmetry.read,
    vercel.read,
    flat_messages.read,
    older.read,
    timing.read,
)
#: Then each puts right what is told under the conventions' own names.
_REPAIRS: Final[tuple[Callable[[dict[str, Any]], None], ...]] = (structured.repair, words.repair, usage.repair)


def conventional(span: ReadableSpan) -> Mapping[str, Any]:
    """The attributes of ``span`` in the conventions' names and forms. Never raises.

    Spans of otel-llm have them already. What was read is not there a second time; what nobody knows stays as it is. The forms:
    content is JSON text, input tokens include the cache, finish reasons are in the conventions' words. ``input.value`` and
    ``output.value`` are what a step that is no call was given and gave.
    """
    told = _copied(span.attributes or {})
    scope = span.instrumentation_scope
    if scope is not None and scope.name == SCOPE:
        return told
    for read in _DIALECTS:
        reading = read(told, span)
        if reading is None:
            continue
        for name in reading.spent:
            told.pop(name, None)
        for name, value in reading.told.items():
            told.setdefault(name, value)
    for repair in _REPAIRS:
        repair(told)
    return told


def _copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A dictionary: reading the SDK's own mapping, key by key and under a lock, takes a third of all that is done for a span."""
    try:
        copy: dict[str, Any] = attributes.copy()  # type: ignore[attr-defined]
    except AttributeError:
        return dict(attributes)
    return copy
