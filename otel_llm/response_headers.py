"""Which header fields of an answer are worth keeping: request ids, times, rate limits. By name, so that no other gets onto a span.

They become ``http.response.header.<name>``, as the HTTP conventions have it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from opentelemetry.util.types import AttributeValue

PREFIX: Final = "http.response.header."

_NAMES: Final = frozenset(
    {
        b"x-request-id",
        b"request-id",
        b"x-generation-id",
        b"apim-request-id",
        b"x-ms-request-id",
        b"x-goog-request-id",
        b"mistral-correlation-id",
        b"cf-ray",
        b"retry-after",
        b"retry-after-ms",
        b"openai-processing-ms",
        b"x-envoy-upstream-service-time",
        b"x-should-retry",
    }
)
_PREFIXES: Final = (b"x-ratelimit-", b"anthropic-ratelimit-", b"ratelimit-")
_LONGEST: Final = 256


def header_attributes(fields: Iterable[tuple[bytes, bytes]]) -> dict[str, AttributeValue]:
    """Attributes for the fields that are kept; a hostile length is cut, bytes that are not ASCII are replaced."""
    kept: dict[str, AttributeValue] = {}
    for name, value in fields:
        lower = name.lower()
        if lower in _NAMES or lower.startswith(_PREFIXES):
            kept[PREFIX + lower.decode("ascii", "replace")] = (value[:_LONGEST].decode("ascii", "replace"),)
    return kept
