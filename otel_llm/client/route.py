"""From a call to the model that answers it: the choice, its service and key, and the default where an override fails."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

from otel_llm.client.anthropic import MESSAGES
from otel_llm.client.openai import CHAT_COMPLETIONS
from otel_llm.client.request import Question
from otel_llm.client.send import Outgoing
from otel_llm.client.services import Services, key_of
from otel_llm.errors import AuthenticationError, ConfigurationError, ModelNotFoundError, QuotaError
from otel_llm.models.choice import ModelChoice, chosen_model
from otel_llm.models.resolver import current_resolver
from otel_llm.models.stamping import stamped
from otel_llm.protocols import PROTOCOLS

T = TypeVar("T")

#: Whether an override that fails gives way to the default: ``true`` or ``false``.
FALLBACK_VARIABLE: Final = "OTEL_LLM_MODEL_FALLBACK"
#: Failures that are the choice's own, and not of the moment or of the question.
_OF_THE_CHOICE: Final = (ModelNotFoundError, QuotaError, AuthenticationError)
_WIRES: Final = {"openai": CHAT_COMPLETIONS, "anthropic": MESSAGES}


class Resolver(Protocol):
    """Says which model an agent is to use now; see :class:`otel_llm.ModelResolver`. Must neither wait nor raise."""

    def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
        """The choice for ``agent``, or for the one at work."""
        ...


def falls_back(given: bool | None) -> bool:
    """Whether an override that fails gives way to the default; None: as the environment says."""
    return os.environ.get(FALLBACK_VARIABLE, "").strip().lower() in ("1", "true", "yes", "on") if given is None else given


async def resolved(resolver: Resolver | None, default: str, agent: str | None) -> ModelChoice:
    """The choice for a call. While the store has not answered yet, it is waited for in a thread, and the event loop goes on."""
    asked = current_resolver() if resolver is None else resolver
    if getattr(asked, "age_s", 0.0) is None:
        return await asyncio.to_thread(asked.resolve, default, agent=agent)
    return asked.resolve(default, agent=agent)


async def answered(choice: ModelChoice, attempt: Callable[[ModelChoice], Awaitable[T]], *, fallback: bool) -> T:
    """The result of ``attempt``, during which the choice stands on every span; with the default where an override fails."""
    try:
        with stamped(choice):
            return await attempt(choice)
    except _OF_THE_CHOICE:
        if not (fallback and choice.source == "override"):
            raise
    default = replace(chosen_model(choice.default, "fallback", agent=choice.agent), set_by=choice.set_by)
    with stamped(default, fallback_from=choice.text):
        return await attempt(default)


def outgoing(question: Question, choice: ModelChoice, services: Services) -> Outgoing:
    """The request for an answer, in the words of the service. Raises ConfigurationError for a service or key that is not there."""
    service = services.of(choice)
    wire, key = _WIRES[service.wire], key_of(service, choice)
    body = wire.body(question, choice.model, service)
    return Outgoing(
        service.base_url, wire.path, dict(wire.headers(key)), body, wire.protocol, choice.text, key, choice.key_variable
    )


def outgoing_texts(texts: Sequence[str], choice: ModelChoice, services: Services, extra: Mapping[str, Any]) -> Outgoing:
    """The request for embeddings. Raises ConfigurationError as :func:`outgoing` does, and for a service that has none."""
    service = services.of(choice)
    if not service.has_embeddings:
        raise ConfigurationError([f"model {choice.text!r}: {service.name} has no embeddings; name a model of another provider"])
    key = key_of(service, choice)
    body = {"model": choice.model, "input": list(texts), **extra}
    headers, protocol = dict(CHAT_COMPLETIONS.headers(key)), PROTOCOLS["openai_embeddings"]
    return Outgoing(service.base_url, "/embeddings", headers, body, protocol, choice.text, key, choice.key_variable)


def added_text(choice: ModelChoice, services: Services) -> Callable[[Any], str]:
    """How to read the text that an event of this choice's streams adds."""
    return _WIRES[services.of(choice).wire].added_text
