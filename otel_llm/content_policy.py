"""What of the captured content a destination gets: all, bounded, hashed or nothing; masked in any case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class ContentMode(Enum):
    """How much of each text a destination gets."""

    FULL = "full"
    TRUNCATED = "truncated"
    HASH = "hash"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """A destination's policy. Applied to a span's attributes on the worker thread, before they are mapped and stored."""

    mode: ContentMode = ContentMode.FULL

    def applied(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """``given`` (attributes of the conventions) with its content as the policy has it."""
        return given


#: Everything, as it is.
FULL = ContentPolicy()
