"""How models are shown: a table of many, all that is known of one, and how old it is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.table import Table

from otel_llm.cli import human
from otel_llm.models.listed import ListedModel

if TYPE_CHECKING:
    from otel_llm.models.catalogue import Listing

_UNKNOWN = "?"
_LONGEST_DESCRIPTION = 2_000


def table_of(models: Sequence[ListedModel]) -> Table:
    """A numbered line each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", style="dim")
    table.add_column("model", overflow="fold")
    table.add_column("input $/M", justify="right")
    table.add_column("output $/M", justify="right")
    table.add_column("context", justify="right")
    table.add_column("takes -> gives", overflow="fold")
    table.add_column("tools")
    for number, model in enumerate(models, 1):
        table.add_row(str(number), human.line(model.text), *_figures(model))
    return table


def details_of(model: ListedModel) -> str:
    """Everything that is known of a model, and what to do with it."""
    input_price, output_price, context, modalities, tools = _figures(model)
    lines = [
        f"{human.line(model.text)}  {human.line(model.name)}",
        f"  {input_price} USD per million tokens of input, {output_price} of output; {context} tokens of context",
        f"  {modalities}; tools: {tools}",
    ]
    if model.expires:
        lines.append(f"  offered until {human.line(model.expires)}")
    if model.description:
        lines.append(f"  {human.line(model.description, _LONGEST_DESCRIPTION)}")
    return "\n".join([*lines, f"Next: {_next_step(model)}"])


def state_of(listing: Listing) -> str:
    """From when a list is, and what went wrong if it should be newer."""
    skipped = f", {listing.skipped:,} not understood" if listing.skipped else ""
    age, fault = listing.age(), listing.fault
    if age is None:
        return f"{listing.provider}: no list. {fault or 'It was never fetched: leave --offline out'}"
    listed = f"{len(listing.models):,} models, listed {_ago(age.total_seconds())}{skipped}"
    if fault:
        return f"{listing.provider}: {'STALE' if listing.is_stale else 'not refreshed'}: {listed}. {fault}"
    return f"{listing.provider}: {'STALE: ' if listing.is_stale else ''}{listed}"


def model_as_json(model: ListedModel) -> dict[str, Any]:
    """A model for other programs; prices in USD per million tokens."""
    return {
        "id": model.text,
        "name": model.name,
        "description": model.description,
        "input_price": _number(model.input_price),
        "output_price": _number(model.output_price),
        "free": model.free,
        "context_length": model.context_length,
        "reads": list(model.reads),
        "writes": list(model.writes),
        "tools": model.tools,
        "expires": model.expires,
    }


def listing_as_json(listing: Listing) -> dict[str, Any]:
    """A list's state for other programs; its age in seconds."""
    age = listing.age()
    return {
        "provider": listing.provider,
        "models": len(listing.models),
        "fetched_at": listing.fetched_at.isoformat() if listing.fetched_at else None,
        "age_s": None if age is None else round(age.total_seconds()),
        "stale": listing.is_stale,
        "fault": listing.fault,
        "skipped": listing.skipped,
    }


def _figures(model: ListedModel) -> tuple[str, str, str, str, str]:
    modalities = "+".join(model.reads) + " -> " + "+".join(model.writes) if model.reads or model.writes else _UNKNOWN
    return (
        _price(model.input_price),
        _price(model.output_price),
        f"{model.context_length:,}" if model.context_length else _UNKNOWN,
        human.line(modalities),
        {True: "yes", False: "no", None: _UNKNOWN}[model.tools],
    )


def _next_step(model: ListedModel) -> str:
    if model.provider == "openrouter":
        return f"otel-llm models set AGENT {model.text}"
    return f'LLM(default="{model.text}"); an agent\'s model can be set to those of OpenRouter only'


def _price(usd: Decimal | None) -> str:
    if usd is None:
        return _UNKNOWN
    return f"{usd:,.2f}" if usd == round(usd, 2) else f"{usd:,f}"


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def _ago(seconds: float) -> str:
    if seconds < 60:
        return "just now"
    days = int(seconds // 86_400)
    return f"{days} days ago" if days > 1 else f"{human.duration(seconds // 60 * 60_000)} ago"
