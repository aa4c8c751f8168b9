"""``otel-llm spool drain``: deliver what waits on disk, and end."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from otel_llm.cli import human
from otel_llm.cli.console import stdout_console
from otel_llm.cli.draining import Drained, drained
from otel_llm.cli.spool_options import as_json, faults_told, in_directory, inspector_of, no_queue, waiting_in
from otel_llm.configuration import configured_deliveries
from otel_llm.delivery.destination import destination_key
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool.inspect import Inspector, Waiting
from otel_llm.destinations import configured_destinations
from otel_llm.errors import ConfigurationError
from otel_llm.settings import read_settings

_EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
#: Seconds between two lines of progress where there is no terminal.
_TELL_S: Final = 5.0


@click.command(short_help="Deliver what waits, and end.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds at most.")
@in_directory
@as_json
def drain(timeout_s: float, directory: Path | None, as_json: bool) -> None:
    """Deliver what waits, to the destinations that the environment configures.

    Needs the variables of the application (LANGFUSE_*, INSFORGE_*). While an application runs that delivers to the same
    destinations, it is that application that sends, and this waits for it.

    Exit status 0 if nothing waits for these destinations any more and nothing was lost, else 1; so it can be a preStop hook
    of Kubernetes, or a job. What waits for others is told, and does not count; nor does what a destination refused for
    good: see `status`.
    """
    with faults_told():
        inspector = inspector_of(directory)
        deliveries = configured_deliveries(inspector.place)
        if not deliveries:
            raise click.ClickException(_nothing_configured(_left_out()))
        keys = {destination_key(delivery.destination) for delivery in deliveries}
        elsewhere = [row for row in waiting_in(inspector) if row.spans and row.destination not in keys]
        found = _drained(inspector, deliveries, timeout_s, quiet=as_json) if inspector.exists() else None
    if as_json:
        click.echo(json.dumps(_as_json(inspector, found or [], elsewhere), indent=2))
    elif found is None:
        click.echo(no_queue(inspector))
    else:
        _show(found, elsewhere, _left_out() if elsewhere else {})
    raise SystemExit(0 if all(each.is_done for each in found or []) else 1)


def _left_out() -> dict[str, str]:
    """Names, by key, of the destinations with a disk queue that are configured; none where no variable leaves any out."""
    try:
        found = configured_destinations() if read_settings().exporters is not None else []
    except ConfigurationError:  # of what is not asked for here
        return {}
    for destination in found:
        destination.close()
    return {key: destination.name for destination in found if (key := destination_key(destination)) is not None}


def _nothing_configured(left_out: dict[str, str]) -> str:
    if left_out:
        names = ",".join(left_out.values())
        return f"{_EXPORTERS} leaves out {names}: run this with {_EXPORTERS}={names}."
    return "No destination with a disk queue is configured: set LANGFUSE_* or INSFORGE_* variables."


def _drained(inspector: Inspector, deliveries: Sequence[Delivery], timeout_s: float, *, quiet: bool) -> list[Drained]:
    inspector.check_writable()
    with _progress(quiet=quiet) as tell:
        return drained(inspector, deliveries, timeout_s, tell)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; else lines on standard error."""
    console = stdout_console()
    if quiet or not console.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Delivering", total=0)
        yield lambda left, total: progress.update(task, total=total, completed=max(0, total - left))


def _lines() -> Callable[[int, int], None]:
    due = time.monotonic() + _TELL_S

    def tell(left: int, total: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _TELL_S
            click.echo(f"{left:,} of {total:,} span(s) wait", err=True)

    return tell


def _as_json(inspector: Inspector, found: Sequence[Drained], elsewhere: Sequence[Waiting]) -> dict[str, object]:
    lost: Counter[str] = Counter()
    for each in found:
        lost.update(each.lost)
    return {
        "directory": str(inspector.place.directory),
        "delivered": sum(each.delivered for each in found),
        "refused": sum(each.refused for each in found),
        "lost": dict(lost),
        "left": {each.name: each.left for each in found},
        "reasons": {each.name: each.reason for each in found if each.reason is not None},
        "last_errors": {each.name: each.last_error for each in found if each.last_error is not None},
        "not_configured": {row.destination: row.spans for row in elsewhere},
    }


def _show(found: Sequence[Drained], elsewhere: Sequence[Waiting], left_out: dict[str, str]) -> None:
    for each in found:
        click.echo(f"{each.name}: {', '.join(_parts(each))}")
    for row in elsewhere:
        why = f"{_EXPORTERS} leaves it out" if row.destination in left_out else "the environment does not configure it"
        click.echo(f"{row.destination}: {row.spans:,} span(s) wait, but {why}")


def _parts(each: Drained) -> Iterator[str]:
    yield f"{each.delivered:,} span(s) delivered"
    if each.refused:
        yield f"{each.refused:,} refused for good (see `otel-llm spool status`)"
    for reason, spans in each.lost.items():
        yield f"{spans:,} lost: {reason}"
    because = f" ({human.line(each.reason)})" if each.reason else ""
    if each.left is None:
        yield f"what is left cannot be told{because}"
    else:
        yield f"{each.left:,} left{because}" if each.left else "nothing waits"
