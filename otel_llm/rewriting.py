"""An admin's choice of model applied to calls that other clients make: the one case in which a request is changed.

Only where ``instrument(resolver=...)`` switched it on, only for an agent that has an override, and only if the request goes to a
provider that serves that model anyway. Any fault of ours sends the request as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol, TypeAlias

from otel_llm import semconv as sc
from otel_llm.endpoints import Endpoint
from otel_llm.guard import guarded
from otel_llm.identity import current_identity
from otel_llm.models.choice import OPENROUTER, ModelChoice
from otel_llm.models.stamping import stamped
from otel_llm.rewriting_requests import Arguments, Requests

Around: TypeAlias = Callable[..., Any]

#: Names of providers as they may stand before the colon of ``provider:model``, where the conventions have another one.
_PROVIDERS: Final = {"claude": "anthropic", "gemini": "gcp.gemini", "mistral": "mistral_ai", "xai": "x_ai"}
#: Authors of OpenRouter's ids behind which stands the very id that the provider itself uses.
_AUTHORS: Final = {"openai": "openai", "x-ai": "x_ai"}


class Resolver(Protocol):
    """Says which model an agent is to use now; see :class:`otel_llm.ModelResolver`."""

    def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
        """The choice for the agent at work."""
        ...


#: The resolver that is switched on, if any.
Switch: TypeAlias = Callable[[], Resolver | None]


def overriding(around: Around, requests: Requests, switch: Switch) -> Around:
    """``around``, a synchronous way out of a library, with the models of the resolver's overrides."""

    def send(wrapped: Around, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        resolver, given = switch(), Arguments(instance, args, kwargs)
        endpoint = None if resolver is None else _chat(requests, given)
        found = None if resolver is None or endpoint is None else _rewritten(requests, resolver, endpoint, given)
        if found is None:
            return around(wrapped, instance, args, kwargs)
        changed, choice = found
        with stamped(choice):
            return around(wrapped, instance, changed.args, dict(changed.kwargs))

    return send


def overriding_async(around: Around, requests: Requests, switch: Switch) -> Around:
    """The same for an asynchronous one. Until the store has answered, it is waited for in a thread."""

    async def send(wrapped: Around, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        resolver, given = switch(), Arguments(instance, args, kwargs)
        endpoint = None if resolver is None else _chat(requests, given)
        found = None
        if resolver is not None and endpoint is not None:
            if getattr(resolver, "age_s", 0.0) is None and _in_asyncio():
                found = await asyncio.to_thread(_rewritten, requests, resolver, endpoint, given)
            else:
                found = _rewritten(requests, resolver, endpoint, given)
        if found is None:
            return await around(wrapped, instance, args, kwargs)
        changed, choice = found
        with stamped(choice):
            return await around(wrapped, instance, changed.args, dict(changed.kwargs))

    return send


def _in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@guarded
def _chat(requests: Requests, given: Arguments) -> Endpoint | None:
    """The endpoint of a chat whose model has not been chosen yet."""
    if sc.MODEL_SOURCE in current_identity().attributes:
        return None
    endpoint = requests.endpoint(given)
    return endpoint if endpoint is not None and endpoint.protocol.operation == sc.CHAT else None


@guarded
def _rewritten(
    requests: Requests, resolver: Resolver, endpoint: Endpoint, given: Arguments
) -> tuple[Arguments, ModelChoice] | None:
    """The request with the override's model, and why; None: it is to be sent as it is."""
    choice = resolver.resolve(f"{endpoint.provider}:-")
    model = _model_at(endpoint.provider, choice) if choice.source == "override" else None
    body = None if model is None else requests.body(given)
    said = _model_of(body, endpoint)
    if model is None or body is None or said in (None, model):
        return None
    changed = requests.with_body(given, {**body, "model": model})
    chosen = replace(choice, provider=endpoint.provider, model=model, default=f"{endpoint.provider}:{said}")
    return None if changed is None else (changed, chosen)


def _model_at(provider: str, choice: ModelChoice) -> str | None:
    """The choice's model in the words of the provider that the request goes to; None if it has no such model."""
    if _PROVIDERS.get(choice.provider, choice.provider) == provider:
        return choice.model
    author, _, model = choice.model.partition("/")
    if choice.provider == OPENROUTER and _AUTHORS.get(author) == provider and ":" not in model:
        return model
    return None


def _model_of(body: Any, endpoint: Endpoint) -> str | None:
    """The model that a body names, where it is a body of the endpoint's protocol."""
    said = body.get("model") if isinstance(body, Mapping) else None
    return said if isinstance(said, str) and (endpoint.certain or endpoint.protocol.matches(body)) else None
