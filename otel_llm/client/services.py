"""Where models are served, and how each place differs: one row each."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from otel_llm.errors import ConfigurationError
from otel_llm.models.choice import ModelChoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A provider's API. One's own, if it speaks OpenAI's chat completions: ``Service(name="corp", base_url="https://llm.corp/v1")``."""

    #: What stands before the colon in ``provider:model``.
    name: str
    #: Up to where ``/chat/completions`` follows, or for Anthropic ``/v1/messages``.
    base_url: str
    aliases: tuple[str, ...] = ()
    #: Environment variable that moves the service elsewhere.
    base_url_variable: str | None = None
    wire: Literal["openai", "anthropic"] = "openai"
    #: Environment variables that may hold the key, first choice first; none: named by custom, as ``CORP_API_KEY``.
    key_variables: tuple[str, ...] = ()
    needs_key: bool = True
    #: Field of the request that bounds the answer.
    limit_field: str = "max_tokens"
    #: A stream tells its usage only if it is asked to.
    asks_for_usage: bool = True
    #: The strongest ``response_format`` that is understood; None: the schema is told in words.
    output_format: Literal["json_schema", "json_object"] | None = "json_schema"
    has_embeddings: bool = True


SERVICES: Final = (
    Service(
        name="anthropic",
        aliases=("claude",),
        base_url="https://api.anthropic.com",
        base_url_variable="ANTHROPIC_BASE_URL",
        wire="anthropic",
        output_format=None,
        has_embeddings=False,
    ),
    Service(
        name="openai",
        base_url="https://api.openai.com/v1",
        base_url_variable="OPENAI_BASE_URL",
        limit_field="max_completion_tokens",
    ),
    Service(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        base_url_variable="OPENROUTER_BASE_URL",
        asks_for_usage=False,
    ),
    Service(name="deepseek", base_url="https://api.deepseek.com", output_format="json_object", has_embeddings=False),
    Service(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        limit_field="max_completion_tokens",
        output_format="json_object",
        has_embeddings=False,
    ),
    Service(
        name="gemini",
        aliases=("gcp.gemini", "google"),
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    Service(name="xai", aliases=("x_ai", "grok"), base_url="https://api.x.ai/v1", has_embeddings=False),
    Service(name="mistral", aliases=("mistral_ai",), base_url="https://api.mistral.ai/v1", asks_for_usage=False),
    Service(
        name="ollama",
        base_url="http://127.0.0.1:11434/v1",
        base_url_variable="OLLAMA_HOST",
        needs_key=False,
    ),
)


class Services:
    """The rows in use, by name and alias."""

    def __init__(self, own: Iterable[Service] = ()) -> None:
        rows = (*SERVICES, *own)  # the last row of a name counts
        self._rows = {name: row for row in rows for name in (row.name, *row.aliases)}

    def of(self, choice: ModelChoice) -> Service:
        """The service of a choice, where the environment has it. Raises ConfigurationError if there is none."""
        row = self._rows.get(choice.provider)
        if row is None:
            known = ", ".join(sorted(self._rows))
            raise ConfigurationError([f"model {choice.text!r}: no service {choice.provider!r}; known are {known}"])
        moved = os.environ.get(row.base_url_variable, "").strip() if row.base_url_variable else ""
        return replace(row, base_url=_url(row, moved)) if moved else row


def _url(row: Service, moved: str) -> str:
    """``OLLAMA_HOST`` is a host, maybe without a scheme or port, and never has the path."""
    if row.base_url_variable != "OLLAMA_HOST":
        return moved.rstrip("/")
    address = moved if "://" in moved else f"http://{moved}"
    address = address.rstrip("/").replace("://0.0.0.0", "://127.0.0.1")
    if ":" not in address.partition("://")[2].rpartition("]")[2] and address.startswith("http://"):
        address += ":11434"
    return f"{address}/v1"


def key_of(service: Service, choice: ModelChoice) -> str:
    """The key, from the environment; empty where none is needed. Raises ConfigurationError that names the variable."""
    variables = service.key_variables or (choice.key_variable,)
    key = next((value for name in variables if (value := os.environ.get(name, "").strip())), "")
    if not key and service.needs_key:
        raise ConfigurationError([f"{' or '.join(variables)} is not set, and {choice.text} needs it"])
    return key
