"""``otel-llm models``: which model each agent uses, seen and changed while applications run."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from otel_llm.cli import human
from otel_llm.cli.browse import browse
from otel_llm.cli.console import stdout_console
from otel_llm.errors import ConfigurationError, DeliveryError, OtelLLMError

if TYPE_CHECKING:
    from otel_llm.models.catalogue import Listing
    from otel_llm.models.store import Change, ModelStore, Override

_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_at_store = click.option(
    "--store",
    "place",
    metavar="PLACE",
    help="A database's URL, the path of a .yaml file, or insforge.  "
    "[default: $OTEL_LLM_MODELS, else models.sqlite3 in the state directory]",
)
_by = click.option("--by", metavar="WHO", help="Who sets it, for the history.  [default: your login name]")


@click.group()
def models() -> None:
    """Which model each agent uses: see it, change it, and see who changed it.

    An override holds for one agent, by the name that its code gives to `otel_llm.agent(...)`. Applications that use the same
    store see a change within 60 seconds, without a restart. Overrides go through OpenRouter with OPENROUTER_API_KEY.
    """


@models.command("list")
@_at_store
@_as_json
def list_(place: str | None, as_json: bool) -> None:
    """Show the overrides that hold. Agents without one use what their code says."""
    with _store(place) as store:
        found, address = [store_row for _, store_row in sorted(store.active().items())], store.address
    if as_json:
        click.echo(json.dumps({"store": address, "overrides": [_as_row(override) for override in found]}, indent=2))
        return
    click.echo(f"{address}: " + ("" if found else "no overrides; every agent uses what its code says."))
    if found:
        stdout_console().print(_overrides_table(found))
    _warn_without_key()


@models.command("set")
@click.argument("agent")
@click.argument("model")
@_by
@click.option("--force", is_flag=True, help="Also a model that the catalogue on this machine does not have.")
@_at_store
@_as_json
def set_(agent: str, model: str, by: str | None, force: bool, place: str | None, as_json: bool) -> None:
    """Have AGENT use MODEL, an id of OpenRouter such as anthropic/claude-sonnet-4.5.

    Refused without OPENROUTER_API_KEY, and for a model that the catalogue does not have, if one was fetched before.
    """
    with _store(place) as store:
        override = _set(store, agent, model, by or _login(), force=force)
    if as_json:
        click.echo(json.dumps(_as_row(override), indent=2))
    else:
        click.echo(f"{human.line(override.agent_name)} uses {human.line(override.model_id)} within 60 seconds.")


@models.command()
@click.argument("agent")
@_by
@_at_store
@_as_json
def unset(agent: str, by: str | None, place: str | None, as_json: bool) -> None:
    """Have AGENT use again what its code says. Exit status 0, also if it did already."""
    with _store(place) as store:
        was_set = store.unset(agent, by=by or _login())
    if as_json:
        click.echo(json.dumps({"agent": agent, "was_set": was_set}, indent=2))
    else:
        said = "uses within 60 seconds what its code says." if was_set else "had no override: it uses what its code says."
        click.echo(f"{human.line(agent)} {said}")


@models.command()
@click.argument("agent", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, metavar="N", help="At most so many.")
@_at_store
@_as_json
def history(agent: str | None, limit: int, place: str | None, as_json: bool) -> None:
    """Show who changed the model of AGENT, or of all agents, from what to what, the latest first."""
    with _store(place) as store:
        changes, address = store.history(agent, limit), store.address
    if as_json:
        click.echo(json.dumps({"store": address, "changes": [_as_change(change) for change in changes]}, indent=2))
        return
    click.echo(f"{address}: " + ("" if changes else "no changes."))
    if changes:
        stdout_console().print(_changes_table(changes))


models.add_command(browse)


@contextmanager
def _store(place: str | None) -> Iterator[ModelStore]:
    """The store that is meant; faults are told without a traceback."""
    from otel_llm.models.place import no_store_message, open_store  # loads what --help need not wait for

    try:
        store = open_store(place)
        if store is None:
            raise click.ClickException(no_store_message())
        try:
            yield store
        finally:
            store.close()
    except ConfigurationError as error:
        raise click.ClickException("; ".join(error.faults)) from error
    except OtelLLMError as error:
        raise click.ClickException(str(error)) from error


def _set(store: ModelStore, agent: str, model: str, by: str | None, *, force: bool) -> Override:
    from otel_llm.models.admin import UnlistedModelError, set_model

    listing = None if force else _listing()
    known = () if listing is None else [listed.model for listed in listing.models]
    try:
        return set_model(store, agent, model, by=by, known=known)
    except UnlistedModelError as error:
        age = human.duration(((listing and listing.age()) or timedelta(0)).total_seconds() * 1000)
        raise ConfigurationError(
            [f"{error.faults[0]} in the catalogue of {age} ago: see `otel-llm models browse`, or say --force"]
        ) from error


def _listing() -> Listing | None:
    """OpenRouter's models as they were fetched last; nothing is fetched now."""
    from otel_llm.models.catalogue import Catalogue

    try:
        found = Catalogue().listings(offline=True)
    except (OSError, DeliveryError):
        return None
    return next((listing for listing in found if listing.provider == "openrouter"), None)


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name, as in containers
        return None


def _warn_without_key() -> None:
    from otel_llm.models.admin import has_shared_key

    if not has_shared_key():
        click.echo("OPENROUTER_API_KEY is not set here; a process without it ignores overrides.", err=True)


def _as_row(override: Override) -> dict[str, Any]:
    return {
        "agent": override.agent_name,
        "model": override.model_id,
        "set_by": override.set_by,
        "created_at": override.created_at.isoformat(),
        "updated_at": override.updated_at.isoformat(),
    }


def _as_change(change: Change) -> dict[str, Any]:
    return {
        "agent": change.agent_name,
        "from": change.old_model,
        "to": change.new_model,
        "by": change.set_by,
        "at": change.at.isoformat(),
    }


def _overrides_table(found: Sequence[Override]) -> Table:
    table = Table("agent", "model", "set by", "since")
    for row in found:
        table.add_row(human.line(row.agent_name), human.line(row.model_id), human.line(row.set_by or "?"), _ago(row.updated_at))
    return table


def _changes_table(changes: Sequence[Change]) -> Table:
    table = Table("when", "agent", "from", "to", "by")
    for row in changes:
        models_ = (human.line(model) if model else "(the code's)" for model in (row.old_model, row.new_model))
        when = human.moment(int(row.at.timestamp() * 1e9))
        table.add_row(when, human.line(row.agent_name), *models_, human.line(row.set_by or "?"))
    return table


def _ago(moment: datetime) -> str:
    """How long ago; nothing for what nobody dated."""
    if moment.year == 1970:
        return "?"
    return f"{human.duration(max(0.0, (datetime.now(UTC) - moment).total_seconds()) * 1000)} ago"
