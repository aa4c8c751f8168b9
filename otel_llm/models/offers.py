"""What OpenRouter's ``/api/v1/models`` and Ollama's ``/api/tags`` list. Odd entries are left out, odd fields unknown."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from otel_llm.errors import ConfigurationError
from otel_llm.models.choice import parse_model
from otel_llm.models.listed import ListedModel, count, mapping, price, string, words

#: The models of a decoded body, and how many entries were left out; None if it is no such list.
Offers = tuple[tuple[ListedModel, ...], int] | None


def openrouter_offers(body: object) -> Offers:
    """From ``{"data": [{"id": ..., "pricing": {"prompt": "0.000003", ...}, ...}]}``; prices there are USD per token, as strings."""
    return _offers(mapping(body).get("data"), _openrouter_model)


def ollama_offers(body: object) -> Offers:
    """From ``{"models": [{"name": "llama3.2:latest", "details": {...}, ...}]}``."""
    return _offers(mapping(body).get("models"), _ollama_model)


def _offers(entries: object, read: Callable[[object], ListedModel | None]) -> Offers:
    if not isinstance(entries, list):
        return None
    models = {model.model: model for entry in entries if (model := read(entry)) is not None}
    return tuple(models.values()), len(entries) - len(models)


def _openrouter_model(entry: object) -> ListedModel | None:
    fields = mapping(entry)
    model = string(fields.get("id"))
    if not _is_id("openrouter", model):
        return None
    architecture, pricing = mapping(fields.get("architecture")), mapping(fields.get("pricing"))
    taken, _, given = string(architecture.get("modality")).partition("->")
    parameters = words(fields.get("supported_parameters"))
    prices = [price(value) for name, value in pricing.items() if name not in ("discount", "overrides")]
    return ListedModel(
        "openrouter",
        model,
        name=string(fields.get("name")) or model,
        description=string(fields.get("description")),
        context_length=count(fields.get("context_length")) or count(mapping(fields.get("top_provider")).get("context_length")),
        input_price=price(pricing.get("prompt")),
        output_price=price(pricing.get("completion")),
        free={"prompt", "completion"} <= pricing.keys() and set(prices) == {Decimal(0)},
        reads=words(architecture.get("input_modalities")) or _split(taken),
        writes=words(architecture.get("output_modalities")) or _split(given),
        tools=None if parameters is None else "tools" in parameters,
        expires=string(fields.get("expiration_date")) or None,
    )


def _ollama_model(entry: object) -> ListedModel | None:
    fields = mapping(entry)
    model = string(fields.get("model")) or string(fields.get("name"))
    if not _is_id("ollama", model):
        return None
    details = mapping(fields.get("details"))
    # What runs elsewhere (``gpt-oss:120b-cloud``) is paid for in other ways than by tokens.
    cost = None if fields.get("remote_host") else Decimal(0)
    abilities = words(fields.get("capabilities"))
    return ListedModel(
        "ollama",
        model,
        name=" ".join(filter(None, [model, *(string(details.get(name)) for name in ("parameter_size", "quantization_level"))])),
        description=string(details.get("family")),
        context_length=count(details.get("context_length")),
        input_price=cost,
        output_price=cost,
        free=cost is not None,
        reads=("text", "image") if abilities and "vision" in abilities else ("text",),
        writes=("text",),
        tools=None if abilities is None else "tools" in abilities,
    )


def _split(side: str) -> tuple[str, ...]:
    return tuple(filter(None, side.split("+")))


def _is_id(provider: str, model: str) -> bool:
    """Whether ``provider:model`` can be written down."""
    try:
        return bool(model) and parse_model(f"{provider}:{model}") == (provider, model)
    except ConfigurationError:
        return False
