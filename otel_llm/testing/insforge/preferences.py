"""The ``Prefer`` field of a request, as PostgREST reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_llm.testing.insforge.errors import postgrest

_KNOWN: Final = {
    "return": {"minimal", "representation", "headers-only"},
    "resolution": {"merge-duplicates", "ignore-duplicates"},
    "count": {"exact", "planned", "estimated"},
    "missing": {"default", "null"},
    "handling": {"strict", "lenient"},
    "tx": {"commit", "rollback"},
}


def parse_preferences(text: str) -> Mapping[str, str]:
    """Preferences by name; unknown ones are ignored, or with ``handling=strict`` refused. Raises Refused."""
    known: dict[str, str] = {}
    unknown = []
    for item in (part.strip() for part in text.split(",") if part.strip()):
        name, _, value = item.partition("=")
        if value in _KNOWN.get(name, ()):
            known.setdefault(name, value)
        else:
            unknown.append(item)
    if unknown and known.get("handling") == "strict":
        raise postgrest("PGRST122", "Invalid preferences given with handling=strict", details=f"Invalid preferences: {unknown}")
    return known
