"""``otel-llm spool drain``: deliver what waits on disk, and end."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from otel_llm.cli import human
from otel_llm.cli.console import stdout_console
from otel_llm.cli.spool_options import as_json, faults_told, in_directory, inspector_of, waiting_in
from otel_llm.configuration import configured_deliveries
from otel_llm.delivery.destination import destination_key
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.spool.disk import Counts
from otel_llm.delivery.spool.inspect import Waiting

_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of what waited for one destination."""

    name: str
    delivered: int
    refused: int
    left: int
    #: Why the latest try failed; None if none did.
    last_error: str | None


@click.command()
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds at most.")
@in_directory
@as_json
def drain(timeout_s: float, directory: Path | None, as_json: bool) -> None:
    """Deliver what waits, to the destinations that the environment configures.

    Needs the variables of the application (LANGFUSE_*, INSFORGE_*). While an application runs that delivers to the same
    destinations, it is that application that sends, and this waits for it.

    Exit status 0 if nothing waits for them any more, 1 if something is left; so it can be a preStop hook of Kubernetes,
    or a job. What a destination refused for good does not wait: see `status`.
    """
    with faults_told():
        inspector = inspector_of(directory)
        deliveries = configured_deliveries(inspector.place)
        if not deliveries:
            raise click.ClickException(
                "No destination with a disk queue is configured: set LANGFUSE_* or INSFORGE_* variables."
            )
        keys = {destination_key(delivery.destination) for delivery in deliveries}
        elsewhere = [row for row in waiting_in(inspector) if row.spans and row.destination not in keys]
        drained = _drained(deliveries, timeout_s, quiet=as_json) if inspector.exists() else []
    if as_json:
        click.echo(json.dumps(_as_json(drained, elsewhere), indent=2))
    else:
        _show(drained, elsewhere)
    raise SystemExit(1 if any(each.left for each in drained) else 0)


def _drained(deliveries: Sequence[Delivery], timeout_s: float, *, quiet: bool) -> list[Drained]:
    """Send until nothing is left or the time is over."""
    deadline = time.monotonic() + timeout_s
    before = {delivery: _counts(delivery) for delivery in deliveries}
    total = sum(counts.spans for counts in before.values())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TimeElapsedColumn(),
    )
    console = stdout_console()
    silent = quiet or not total or not console.is_terminal
    with Progress(*columns, console=console, disable=silent, transient=True) as progress:
        task = progress.add_task("Delivering", total=total)
        for delivery in deliveries:
            delivery.open()
        while (left := sum(_counts(delivery).spans for delivery in deliveries)) and time.monotonic() < deadline:
            progress.update(task, completed=max(0, total - left))
            time.sleep(_LOOK_S)
    drained = [_outcome(delivery, counts) for delivery, counts in before.items()]
    for delivery in deliveries:
        delivery.shutdown(max(0.0, deadline - time.monotonic()))
    return drained


def _counts(delivery: Delivery) -> Counts:
    return Counts() if delivery.spool is None else delivery.spool.counts()


def _outcome(delivery: Delivery, before: Counts) -> Drained:
    after = _counts(delivery)
    refused = max(0, after.dead - before.dead)
    delivered = max(0, before.spans - after.spans - refused)
    return Drained(delivery.destination.name, delivered, refused, after.spans, delivery.stats.last_error)


def _as_json(drained: Sequence[Drained], elsewhere: Sequence[Waiting]) -> dict[str, object]:
    return {
        "delivered": sum(each.delivered for each in drained),
        "refused": sum(each.refused for each in drained),
        "left": {each.name: each.left for each in drained},
        "last_errors": {each.name: each.last_error for each in drained if each.last_error is not None},
        "not_configured": {row.destination: row.spans for row in elsewhere},
    }


def _show(drained: Sequence[Drained], elsewhere: Sequence[Waiting]) -> None:
    if not drained:
        click.echo("There is no disk queue, so nothing waits.")
    for each in drained:
        parts = [f"{each.delivered:,} span(s) delivered"]
        if each.refused:
            parts.append(f"{each.refused:,} refused for good (see `otel-llm spool status`)")
        parts.append(f"{each.left:,} left" if each.left else "nothing waits")
        because = f" ({human.line(each.last_error)})" if each.left and each.last_error else ""
        click.echo(f"{each.name}: {', '.join(parts)}{because}")
    for row in elsewhere:
        click.echo(f"{row.destination}: {row.spans:,} span(s) wait, but the environment does not configure it")
