"""What a check finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    #: Worth knowing; nothing needs to be done.
    NOTE = "note"
    #: It works, but not as one would expect.
    WARNING = "warning"
    #: Something does not work until it is mended.
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis. No field ever holds a value that may be secret."""

    level: Level
    #: A variable, a destination, a package, or a part of otel-llm.
    where: str
    what: str
    #: What to do about it; empty if nothing is to be done.
    do: str = ""


class Check(Protocol):
    """What a destination registers under ``otel_llm_check``: looks at its settings and asks its server, changing nothing."""

    def __call__(self, *, timeout_s: float, offline: bool) -> Sequence[Finding]:
        """The findings, within about ``timeout_s`` seconds; without the network if ``offline``."""


def settings_faults(faults: Sequence[str]) -> list[Finding]:
    """The faults of a ConfigurationError, of which each begins with the name of its variable."""
    return [Finding(Level.FAULT, *_name_and_fault(fault), "Mend this setting; it ends configure()") for fault in faults]


def _name_and_fault(fault: str) -> tuple[str, str]:
    name, _, rest = fault.partition(" ")
    name = name.rstrip(":")
    return (name, rest) if name.isupper() else ("settings", fault)
