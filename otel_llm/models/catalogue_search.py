"""Which models of a catalogue are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from otel_llm.models.listed import ListedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Each condition must hold; what a list does not say holds for none."""

    #: Words that all occur in the model's id, name or description, in any case.
    text: str = ""
    #: USD per million tokens; neither the prompt's price nor the answer's is higher.
    max_price: Decimal | None = None
    #: Tokens.
    min_context: int | None = None
    #: ``image``: takes images; ``->image``: makes them.
    modalities: tuple[str, ...] = ()
    tools: bool = False
    free: bool = False


def search(models: Iterable[ListedModel], wanted: Wanted) -> list[ListedModel]:
    """The models that are wanted, those first whose id or name has all the words, else in the order of the list."""
    asked = wanted.text.casefold().split()
    found = [(_place(model, asked), model) for model in models if _fits(model, wanted)]
    return [model for place, model in sorted(found, key=lambda pair: pair[0] or 0) if place is not None]


def _place(model: ListedModel, asked: list[str]) -> int | None:
    title = f"{model.text} {model.name}".casefold()
    if all(word in title for word in asked):
        return 0
    whole = f"{title} {model.description.casefold()}"
    return 1 if all(word in whole for word in asked) else None


def _fits(model: ListedModel, wanted: Wanted) -> bool:
    return (
        (wanted.max_price is None or _costs_at_most(model, wanted.max_price))
        and (wanted.min_context is None or (model.context_length or 0) >= wanted.min_context)
        and (not wanted.tools or model.tools is True)
        and (not wanted.free or model.free)
        and all(_speaks(model, modality.strip().casefold()) for modality in wanted.modalities)
    )


def _costs_at_most(model: ListedModel, usd: Decimal) -> bool:
    prices = model.input_price, model.output_price
    return all(price is not None and price <= usd for price in prices)


def _speaks(model: ListedModel, modality: str) -> bool:
    made = modality.removeprefix("->")
    return made in (model.reads if made == modality else model.writes)
