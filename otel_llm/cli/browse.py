"""``otel-llm models browse``: the models there are to choose from."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from otel_llm.cli.browse_table import details_of, listing_as_json, model_as_json, state_of, table_of
from otel_llm.cli.console import stdout_console
from otel_llm.models.catalogue_search import Wanted, search
from otel_llm.models.listed import ListedModel

if TYPE_CHECKING:
    from otel_llm.models.catalogue import Listing


def _usd(_: click.Context, __: click.Parameter, value: float | None) -> Decimal | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is no amount of USD")
    return None if value is None else Decimal(str(value))


@click.command()
@click.option("-t", "--text", default="", help="Words that occur in the id, name or description.")
@click.option(
    "--max-price",
    type=click.FloatRange(min=0),
    metavar="USD",
    callback=_usd,
    help="Highest price of input and of output, per million tokens.",
)
@click.option("--min-context", type=click.IntRange(min=1), help="Least context length, in tokens.")
@click.option("--modality", "modalities", multiple=True, help="What it takes, as `image`, or gives, as `->image`. Repeatable.")
@click.option("--tools", is_flag=True, help="Can call tools.")
@click.option("--free", is_flag=True, help="Costs nothing.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=40, show_default=True, help="Number of models to show.")
@click.option("--refresh", is_flag=True, help="Ask OpenRouter again, even if its list is younger than a day.")
@click.option("--offline", is_flag=True, help="Ask nobody; show what was listed before.")
@click.option("--pick", is_flag=True, help="Print nothing but the id of the model that you choose, for use in `$(...)`.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all models that are wanted.")
def browse(limit: int, refresh: bool, offline: bool, pick: bool, as_json: bool, **filters: Any) -> None:
    """Show the models of OpenRouter and of a local Ollama, with their prices.

    On a terminal, search on and look at single ones. OpenRouter's list is kept for a day; how old it is, and whether it could not be
    had, is said below it.
    """
    from otel_llm.models.catalogue import Catalogue  # loads an HTTP library, which --help need not wait for

    if pick and (as_json or not _is_terminal(output=sys.stderr)):
        raise click.UsageError("--pick asks you, so it needs a terminal, and goes without --json.")
    if refresh and offline:
        raise click.UsageError("--refresh and --offline exclude each other.")
    listings = Catalogue().listings(refresh=refresh, offline=offline)
    wanted = Wanted(**filters)
    if as_json:
        found = [model_as_json(model) for model in search((m for each in listings for m in each.models), wanted)]
        click.echo(json.dumps({"lists": [listing_as_json(listing) for listing in listings], "models": found}, indent=2))
    else:
        _show(listings, wanted, limit, pick=pick)
    if all(listing.age() is None for listing in listings):
        raise click.exceptions.Exit(1)


def _show(listings: Sequence[Listing], wanted: Wanted, limit: int, *, pick: bool) -> None:
    models = [model for listing in listings for model in listing.models]
    screen = _Screen(Console(stderr=True, highlight=False, markup=False, emoji=False) if pick else stdout_console(), limit)
    shown = screen.show(search(models, wanted))
    for listing in listings:
        click.echo(state_of(listing), err=True)
    if models and (pick or _is_terminal(output=sys.stdout)):
        _converse(screen, models, wanted, shown, pick=pick)


def _is_terminal(*, output: Any) -> bool:
    """Whether somebody is there to be asked."""
    return bool(sys.stdin.isatty() and output.isatty())


@dataclass(frozen=True, slots=True)
class _Screen:
    """Where models are shown, and how many at a time."""

    console: Console
    limit: int

    def show(self, found: list[ListedModel]) -> list[ListedModel]:
        """Print the first models; returns those."""
        shown = found[: self.limit]
        if shown:
            self.console.print(table_of(shown))
        else:
            self.console.print("No such models.")
        if len(found) > len(shown):
            self.console.print(f"... and {len(found) - len(shown):,} more: narrow the search, or raise --limit.")
        return shown


def _converse(screen: _Screen, models: list[ListedModel], wanted: Wanted, shown: list[ListedModel], *, pick: bool) -> None:
    """Take numbers and searches until nothing more is asked; a number ends it if one model is to be picked."""
    question = f"A number {'picks' if pick else 'shows'} a model, words search, Enter ends"
    while answer := _asked(question, err=pick):
        number = int(answer) if answer.isascii() and answer.isdecimal() and len(answer) < 10 else 0
        if not 0 < number <= len(shown):
            wanted = replace(wanted, text=answer)
            shown = screen.show(search(models, wanted))
        elif pick:
            click.echo(shown[number - 1].text)
            return
        else:
            screen.console.print(details_of(shown[number - 1]))
    if pick:
        raise click.exceptions.Exit(1)


def _asked(question: str, *, err: bool) -> str:
    try:
        return str(click.prompt(question, default="", show_default=False, err=err)).strip()
    except click.Abort:  # end of input
        return ""
