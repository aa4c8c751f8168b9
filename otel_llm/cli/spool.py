"""``otel-llm spool``: what waits on disk, and what to do with it."""

from __future__ import annotations

import json
import os
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

import click
from rich.table import Table

from otel_llm.cli import human
from otel_llm.cli.console import stdout_console
from otel_llm.cli.drain import drain
from otel_llm.cli.records import has_media, readable
from otel_llm.cli.spool_options import (
    NAME_HELP,
    as_json,
    chosen,
    faults_told,
    in_directory,
    inspector_of,
    no_queue,
    of_destination,
    only,
    waiting_in,
)
from otel_llm.delivery.spool.inspect import Inspector, Loss, Refusal, Waiting

_LENGTH: Final = struct.Struct(">I")
_SENDS: Final = {True: "yes", False: "no", None: "?"}


@click.group()
def spool() -> None:
    """The disk queue: what has been recorded and not delivered yet.

    Spans wait here while a destination is down or a process has ended before they were delivered. The next process that
    records delivers them; so does `drain`. What a destination refuses for good is kept as dead letters.

    Safe to use while applications run.
    """


spool.add_command(drain)


@spool.command(short_help="Show what waits, what was refused and what was lost.")
@in_directory
@as_json
def status(directory: Path | None, as_json: bool) -> None:
    """Show what waits for each destination, since when, and what was refused for good or lost, and why.

    Changes nothing. "A process sends" tells whether some process is alive that delivers there.
    """
    with faults_told():
        inspector = inspector_of(directory)
        found = waiting_in(inspector)
        refusals = inspector.refusals() if found else []
        losses = inspector.losses() if inspector.exists() else []
    if as_json:
        told = [
            {**asdict(row), "refusals": [_refusal(each) for each in refusals if each.destination == row.destination]}
            for row in found
        ]
        known = {"directory": str(inspector.place.directory), "destinations": told, "losses": [asdict(loss) for loss in losses]}
        click.echo(json.dumps(known, indent=2))
    elif not inspector.exists():
        click.echo(no_queue(inspector))
    else:
        _show(inspector, found, refusals, losses)


@spool.command("replay-dead", short_help="Put what was refused back among what waits.")
@of_destination
@in_directory
@as_json
def replay_dead(destination: str | None, directory: Path | None, as_json: bool) -> None:
    """Put what was refused for good back among what waits, once its cause is mended.

    What is refused again becomes a dead letter again.
    """
    with faults_told():
        inspector = inspector_of(directory)
        moved = sum(inspector.replay_dead(row.destination) for row in chosen(waiting_in(inspector), destination) if row.dead)
    click.echo(json.dumps({"replayed": moved}) if as_json else f"{moved:,} span(s) wait again.")


@spool.command(short_help="Write what waits into a file, and leave it there.")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--destination", metavar="NAME", help=f"Which one's, if there are several: {NAME_HELP}")
@click.option("--dead", is_flag=True, help="What was refused for good, instead of what waits.")
@click.option("--raw", is_flag=True, help="Every record as it is, each after its length: 4 bytes, big-endian.")
@in_directory
@as_json
def export(file: Path, destination: str | None, dead: bool, raw: bool, directory: Path | None, as_json: bool) -> None:
    """Write what waits for a destination into FILE (-: standard output), and leave it where it is.

    \b
    - Of Langfuse: one OTLP ExportTraceServiceRequest in protobuf, which any OTLP receiver takes:
        curl -H 'content-type: application/x-protobuf' --data-binary @FILE https://HOST/v1/traces
      Images, audio and files that travel beside their span are not in it, nor are scores; how many is told.
    - Of InsForge: a row a line, in JSON.

    FILE can hold prompts; a new one is readable by you alone. What was written is told on standard error, by --json on
    standard output unless that is FILE. Exit status 0, also if something was left out.
    """  # noqa: D301  (click keeps the lines of a paragraph that begins with this very character)
    told: Counter[str] = Counter(records=0, bytes=0, without_media=0, left_out=0, deferred=0)
    with faults_told():
        inspector = inspector_of(directory)
        row = only(waiting_in(inspector), destination)
        told["deferred"] = 0 if dead else row.deferred
        with _private(file) as out:
            for body in _written(inspector.records(row.destination, dead=dead), told, raw=raw):
                told["bytes"] += out.write(body)
    click.echo(json.dumps(told) if as_json else _exported(told), err=not as_json or str(file) == "-")


@spool.command(short_help="Delete what waits and what was refused.")
@of_destination
@click.option("--dead", "dead_only", is_flag=True, help="Only what was refused for good.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_directory
@as_json
def purge(destination: str | None, dead_only: bool, yes: bool, directory: Path | None, as_json: bool) -> None:
    """Delete what waits and what was refused, for good. Says how much that is, and asks."""
    with faults_told():
        inspector = inspector_of(directory)
        rows = chosen(waiting_in(inspector), destination)
        waiting, dead = 0 if dead_only else sum(row.spans for row in rows), sum(row.dead for row in rows)
        if waiting + dead and not yes:
            _confirm(f"Delete {waiting:,} span(s) that wait and {dead:,} that were refused, for good?")
        gone = inspector.purge([row.destination for row in rows], dead_only=dead_only) if rows else 0
    click.echo(json.dumps({"deleted": gone}) if as_json else f"{gone:,} span(s) deleted.")


def _confirm(question: str) -> None:
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.ClickException("Nothing was deleted: nobody is there to ask. Say --yes.") from None
    if not agreed:
        raise click.Abort


def _written(records: Iterable[bytes], told: Counter[str], *, raw: bool) -> Iterator[bytes]:
    """What goes into the file; ``told`` counts."""
    for record in records:
        body = _LENGTH.pack(len(record)) + record if raw else readable(record)
        told["records" if body is not None else "left_out"] += 1
        if body is not None:
            told["without_media"] += not raw and has_media(record)
            yield body


def _exported(told: Counter[str]) -> str:
    lines = [f"{told['records']:,} record(s), {told['bytes']:,} bytes."]
    if told["without_media"]:
        lines.append(f"The media of {told['without_media']:,} span(s) are not in it; --raw writes them too.")
    if told["left_out"]:
        lines.append(f"{told['left_out']:,} record(s) of another kind (scores) are not in it; --raw writes them too.")
    if told["deferred"]:
        lines.append(
            f"{told['deferred']:,} span(s) were put off and are not in it; `otel-llm spool drain` makes records of them first."
        )
    return "\n".join(lines)


@contextmanager
def _private(file: Path) -> Iterator[IO[bytes]]:
    """The file, for this user alone if it is new."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with open(file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        yield out


def _refusal(refusal: Refusal) -> dict[str, object]:
    return {"reason": refusal.reason, "spans": refusal.spans, "latest_s": refusal.latest_s}


def _show(inspector: Inspector, found: list[Waiting], refusals: list[Refusal], losses: list[Loss]) -> None:
    click.echo(f"{inspector.place.directory}: " + ("" if found else "nothing waits, nothing was refused."))
    if found:
        stdout_console().print(_table(found))
    for row in found:
        if row.deferred:
            click.echo(
                f"Put off for {row.destination}: {row.deferred:,} of its span(s), until there is time to make records of them"
            )
    for refusal in refusals:
        ago = human.duration(refusal.latest_s * 1000)
        click.echo(
            f"Refused by {refusal.destination}: {refusal.spans:,} span(s), the latest {ago} ago: {human.line(refusal.reason)}"
        )
    for loss in losses:
        ago = human.duration(loss.latest_s * 1000)
        click.echo(f"Lost for {loss.destination}: {loss.spans:,} span(s), the latest {ago} ago: {human.line(loss.reason)}")


def _table(found: list[Waiting]) -> Table:
    table = Table("destination", "waiting", "size", "oldest", "refused", "a process sends")
    for row in found:
        oldest = "" if row.oldest_s is None else human.duration(row.oldest_s * 1000)
        size = f"{row.bytes / 1_000_000:,.1f} MB"
        table.add_row(row.destination, f"{row.spans:,}", size, oldest, f"{row.dead:,}", _SENDS[row.has_sender])
    return table
