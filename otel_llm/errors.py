"""The exceptions that a user of otel-llm can meet.

::

    OtelLLMError
    ├── ConfigurationError      a setting is missing or wrong; raised at start, names every fault at once
    ├── MissingExtraError       an optional dependency is needed; says what to install
    └── DeliveryError           a destination refused or could not be reached (raised by explicit calls only,
                                never out of recording or exporting)

Nothing here is ever raised into an application's LLM call.
"""

from __future__ import annotations

from collections.abc import Sequence


class OtelLLMError(Exception):
    """Base of all errors raised by otel-llm."""


class ConfigurationError(OtelLLMError):
    """Settings are missing or wrong; ``faults`` lists each of them, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"- {fault}" for fault in self.faults))


class MissingExtraError(OtelLLMError):
    """An optional dependency is needed for what was asked."""

    def __init__(self, what: str, install: str) -> None:
        self.install = install
        super().__init__(f"{what} needs an optional dependency. Install it with: {install}")


class DeliveryError(OtelLLMError):
    """A destination refused a request or could not be reached."""
