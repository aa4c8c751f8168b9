"""Scores on their way: as a span made by hand, which a delivery takes, and as a record among those of spans.

The record is ``b"S"`` and then the JSON of the score in the form of Langfuse's API. No record of a span begins so: an OTLP request
begins with ``0a``, one with media with ``01``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from pydantic_core import from_json

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm.version import __version__
from otel_llm_langfuse import names
from otel_llm_langfuse.conform import encodable
from otel_llm_langfuse.mapping import MappingSettings
from otel_llm_langfuse.trace import trace_attributes

Score = dict[str, Any]

MARK: Final = b"S"
_SCOPE: Final = InstrumentationScope("otel_llm.score", __version__)
#: The JSON of the score.
_BODY: Final = "otel_llm.score"


def score_span(score: Mapping[str, Any], resource: Resource, project: str | None) -> ReadableSpan:
    """A span that carries a score to a delivery. It never passes a tracer provider, so no other exporter sees it."""
    attributes = {_BODY: json_text(score), **({} if project is None else {sc.PROJECT: project})}
    return ReadableSpan("score", resource=resource, attributes=attributes, instrumentation_scope=_SCOPE)


def is_score(span: ReadableSpan) -> bool:
    """Whether a span is one that :func:`score_span` made."""
    return span.instrumentation_scope is _SCOPE


def score_record(span: ReadableSpan, settings: MappingSettings) -> bytes:
    """The record of a score, with the environment that the spans of its process have."""
    told = trace_attributes({}, span.resource.attributes, environment=settings.environment, release=None)
    score: Score = {"environment": told.get(names.ENVIRONMENT), **from_json(str((span.attributes or {})[_BODY]))}
    return MARK + encodable(json_text({name: value for name, value in score.items() if value is not None})).encode()


def score_of(record: bytes) -> Score:
    """The score of a record."""
    read: Score = from_json(record[len(MARK) :])
    return read
