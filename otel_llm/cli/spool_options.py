"""What the commands of ``otel-llm spool`` have in common: where to look, for whom, and how faults are told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from otel_llm.delivery.spool import SpoolPlace, spool_place
from otel_llm.delivery.spool.inspect import Inspector, Waiting
from otel_llm.errors import OtelLLMError

in_directory = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="The directory of the disk queue.  [default: $OTEL_LLM_SPOOL_DIR, else otel-llm/spool in the user's state directory]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
#: Of those that ``status`` names.
NAME_HELP = "as `status` names it, or a part of the name that no other has."
of_destination = click.option("--destination", metavar="NAME", help=f"Only of this one: {NAME_HELP}")


def inspector_of(directory: Path | None) -> Inspector:
    """The disk queue that was asked for."""
    place = SpoolPlace(directory.expanduser().absolute()) if directory is not None else spool_place()
    if place is None:
        raise click.ClickException("The environment says that there is no disk queue. Name one with --dir.")
    return Inspector(place)


def waiting_in(inspector: Inspector) -> list[Waiting]:
    """What waits, by destination; nothing where there is no disk queue."""
    return inspector.waiting() if inspector.exists() else []


def no_queue(inspector: Inspector) -> str:
    """What to say where there is none."""
    return f"{inspector.place.directory}: there is no disk queue, so nothing waits. Is it the directory of the application?"


def only(found: Sequence[Waiting], destination: str | None) -> Waiting:
    """The one that is named or meant; without a name, the only one there is."""
    if destination is None and len(found) != 1:
        known = ", ".join(repr(row.destination) for row in found)
        raise click.ClickException(f"Name one with --destination: {known}" if found else "Nothing waits, nothing was refused.")
    (row,) = chosen(found, destination)
    return row


def chosen(found: Sequence[Waiting], destination: str | None) -> list[Waiting]:
    """All, or the one that is named or meant."""
    if destination is None:
        return list(found)
    exact = [row for row in found if row.destination == destination]
    meant = exact or [row for row in found if destination in row.destination]
    if len(meant) != 1:
        known = ", ".join(repr(row.destination) for row in found) or "none"
        raise click.ClickException(f"{destination!r} is {'more than one' if meant else 'no'} destination here; known: {known}")
    return meant


@contextmanager
def faults_told() -> Iterator[None]:
    """Say what is wrong with the disk or the settings, without a traceback."""
    try:
        yield
    except (OtelLLMError, sqlite3.Error, OSError) as error:
        raise click.ClickException(str(error)) from error
