"""What is installed in this environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions, entry_points
from typing import Final

_INSTRUMENTORS: Final = "opentelemetry_instrumentor"
_RELEASE: Final = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True, slots=True)
class Installed:
    """Distributions by their normalised names (lower case, dashes)."""

    versions: Mapping[str, str] = field(default_factory=dict)
    #: For each name under ``opentelemetry_instrumentor`` the distributions that have it: all of them are run.
    instrumentors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def release(self, distribution: str) -> tuple[int, ...] | None:
        """Release numbers of a distribution, without pre-release marks; None if it is not installed."""
        version = self.versions.get(distribution)
        return None if version is None else release_of(version)


def release_of(version: str) -> tuple[int, ...]:
    """``(0, 66)`` for ``0.66b1``."""
    match = _RELEASE.match(version)
    return tuple(map(int, match.group().split("."))) if match else ()


def read_installed() -> Installed:
    """What is installed here. The first distribution of a name counts, as for imports."""
    versions: dict[str, str] = {}
    for distribution in distributions():
        if name := distribution.metadata["Name"]:
            versions.setdefault(normalised(name), distribution.version)
    instrumentors: dict[str, set[str]] = {}
    for entry in entry_points(group=_INSTRUMENTORS):
        if entry.dist is not None:
            instrumentors.setdefault(entry.name, set()).add(normalised(entry.dist.name))
    return Installed(versions, {name: tuple(sorted(found)) for name, found in instrumentors.items()})


def normalised(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
