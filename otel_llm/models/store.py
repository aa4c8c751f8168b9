"""Where the admins' choices are kept: what every such place can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from otel_llm.errors import ConfigurationError
from otel_llm.models.choice import OPENROUTER, parse_model

_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Override:
    """An agent's row: the model that an admin chose for it."""

    agent_name: str
    #: OpenRouter's id, such as ``anthropic/claude-sonnet-4.5``.
    model_id: str
    is_active: bool
    set_by: str | None
    #: Both with a time zone.
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an agent's model. None: the model that the code says."""

    agent_name: str
    old_model: str | None
    new_model: str | None
    set_by: str | None
    at: datetime


class ModelStore(Protocol):
    """The table ``agent_model_config`` or its like. Safe for use by several threads and processes at once.

    Every method may take some seconds, and raises DeliveryError that says what to do if the place cannot be reached or refuses,
    ConfigurationError if what is given or found there is wrong.
    """

    @property
    def address(self) -> str:
        """Where it is, without secrets, for people to read."""
        ...

    def active(self) -> Mapping[str, Override]:
        """The overrides that hold, by agent. Empty where nobody has set one yet."""
        ...

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        """Make ``model_id`` the agent's model. The same again is no change and leaves no trace in the history."""
        ...

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        """Go back to what the code says; False if there was no override. The row stays, inactive."""
        ...

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        """The changes, latest first, of one agent or of all."""
        ...

    def close(self) -> None:
        """Give up connections. The store may be used again."""
        ...


def agent_of(text: str) -> str:
    """An agent's name, as it is kept. Raises ConfigurationError."""
    if not _NAME.fullmatch(text.strip()):
        raise ConfigurationError([f"agent {text[:80]!r}: a name has 1 to 200 characters, none of them control characters"])
    return text.strip()


def model_of(text: str) -> str:
    """The id of an override, as it is kept: OpenRouter's, without ``openrouter:``. Raises ConfigurationError for other providers."""
    provider, model = parse_model(text)
    if provider != OPENROUTER:
        raise ConfigurationError(
            [f"model {text[:80]!r}: an override goes through OpenRouter, so give its id there, such as openai/gpt-5"]
        )
    return model
