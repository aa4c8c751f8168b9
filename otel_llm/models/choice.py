"""The model that a call is to use, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from otel_llm.errors import ConfigurationError

#: Who decided: the code (``default``), an admin (``override``), the code again because the admin's choice failed (``fallback``), or
#: the call itself (``argument``).
Source: TypeAlias = Literal["default", "override", "fallback", "argument"]

OPENROUTER: Final = "openrouter"
#: Environment variable of the key that every override uses.
SHARED_KEY_VARIABLE: Final = "OPENROUTER_API_KEY"

#: Where a provider's key variable is not its name in capitals and ``_API_KEY``.
_KEY_VARIABLES: Final = {
    "claude": "ANTHROPIC_API_KEY",
    "gcp.gemini": "GEMINI_API_KEY",
    "mistral_ai": "MISTRAL_API_KEY",
    "x_ai": "XAI_API_KEY",
}
_PROVIDER: Final = re.compile(r"[a-z0-9][a-z0-9._-]*", re.IGNORECASE)
_MODEL: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Provider and model of one call. It holds no key, only the name of the environment variable that does."""

    #: Lower case, as it was written before the colon: ``openrouter``, ``openai``, ``claude``, ``ollama``, ...
    provider: str
    #: The model's id as that provider knows it.
    model: str
    key_variable: str
    source: Source
    #: What the code says, as ``provider:model``.
    default: str
    agent: str | None = None
    #: Who set the override; None unless there is one.
    set_by: str | None = None

    @property
    def text(self) -> str:
        """``provider:model``."""
        return f"{self.provider}:{self.model}"


def parse_model(text: str) -> tuple[str, str]:
    """Provider and model of ``provider:model``; a bare id with a slash is OpenRouter's. Raises ConfigurationError.

    ``anthropic/claude-3.7-sonnet:thinking`` is one of those: what stands before a colon is a provider only without a slash.
    """
    head, colon, tail = text.strip().partition(":")
    if "/" in head:
        head, tail = OPENROUTER, text.strip()
    elif not colon:
        raise ConfigurationError([f"model {text[:80]!r}: say whose it is, as in openai:gpt-5 or openrouter:openai/gpt-5"])
    if not _PROVIDER.fullmatch(head) or not _MODEL.fullmatch(tail):
        raise ConfigurationError([f"model {text[:80]!r} is not of the form provider:model, such as openrouter:openai/gpt-5"])
    return head.lower(), tail


def key_variable(provider: str) -> str:
    """Name of the environment variable that holds the provider's key by custom: ``openai`` -> ``OPENAI_API_KEY``."""
    return _KEY_VARIABLES.get(provider) or f"{re.sub('[^A-Z0-9]', '_', provider.upper())}_API_KEY"


def chosen_model(text: str, source: Source, *, agent: str | None = None) -> ModelChoice:
    """The choice of ``provider:model`` as the code (``default``) or the call (``argument``) says it. Raises ConfigurationError."""
    provider, model = parse_model(text)
    return ModelChoice(provider, model, key_variable(provider), source, default=f"{provider}:{model}", agent=agent)


def fallback_of(choice: ModelChoice) -> ModelChoice:
    """What the code says, after the admin's choice has failed; who set that stays."""
    provider, model = parse_model(choice.default)
    return replace(choice, provider=provider, model=model, key_variable=key_variable(provider), source="fallback")
