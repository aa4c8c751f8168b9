"""``otel-llm traces``: what the local store holds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from otel_llm.cli import human
from otel_llm.cli.console import stdout_console
from otel_llm.cli.tree import SpanNode, calls_of, headline, label, render, tree_from_spans
from otel_llm.errors import OtelLLMError
from otel_llm.local_reader import LocalReader, StoredTrace

#: Seconds between two looks at the store.
_POLL_S = 0.5
#: Hex digits of a trace id that are shown.
_SHORTEST_ID, _LONGEST_ID = 8, 32
_EMPTY = """\
No traces in {path} yet.

Next: run `otel-llm demo`, or in your application
  import otel_llm; otel_llm.configure(service_name="my-app")
and make an LLM call. The store is used while no other destination is configured, or with OTEL_TRACES_EXPORTER=local."""


@click.command()
@click.argument("trace_id", metavar="[ID]", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on and print each span as it is stored, until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print the calls as a JSON array; with --follow one object a line.")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Number of traces to list.")
def traces(trace_id: str | None, follow: bool, as_json: bool, limit: int) -> None:
    """Show the latest traces of the local store, or the one whose ID starts so, with its errors and messages.

    The store is $OTEL_LLM_LOCAL_STORE, else otel-llm/traces.sqlite3 in the state directory of the user.
    """
    if trace_id is not None and follow:
        raise click.UsageError("--follow shows all traces; leave the ID out.")
    reader, console = LocalReader(), stdout_console()
    try:
        if follow:
            _follow(reader, console, as_json, limit)
            return
        found = reader.recent(limit) if trace_id is None else [reader.trace(trace_id)]
    except OtelLLMError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps([_call(call) for trace in found for call in calls_of(tree_from_spans(trace.spans))], indent=2))
    elif found:
        _show(console, found, whole=trace_id is not None)
    else:
        click.echo(_EMPTY.format(path=reader.path))


def _show(console: Console, found: Sequence[StoredTrace], *, whole: bool) -> None:
    digits = _LONGEST_ID if whole else _distinct_digits([trace.trace_id for trace in found])
    for trace in found:
        roots = tree_from_spans(trace.spans)
        console.print(headline(trace.trace_id, roots, digits=digits))
        for root in roots:
            console.print(render(root, content=whole))
        console.print()


def _distinct_digits(ids: Sequence[str]) -> int:
    """How many digits tell these ids apart."""
    return next((n for n in range(_SHORTEST_ID, _LONGEST_ID) if len({name[:n] for name in ids}) == len(ids)), _LONGEST_ID)


def _follow(reader: LocalReader, console: Console, as_json: bool, limit: int) -> None:
    position = reader.position()
    click.echo(f"Following {reader.path}; interrupt to stop.", err=True)
    if not as_json:
        _show(console, reader.recent(limit)[::-1], whole=False)
    try:
        while True:
            spans, position = reader.follow(position)
            for span in spans:
                _print_line(console, tree_from_spans([span]), as_json)
            if not spans:
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        return


def _print_line(console: Console, nodes: list[SpanNode], as_json: bool) -> None:
    for node in nodes:
        if not as_json:
            console.print(Text(human.moment(node.started_ns) + "  ", style="dim") + label(node))
        elif node.is_call:
            click.echo(json.dumps(_call(node)))


def _call(node: SpanNode) -> dict[str, Any]:
    started = datetime.fromtimestamp(node.started_ns // 10**9, UTC).replace(microsecond=node.started_ns // 1_000 % 10**6)
    return {
        "trace_id": node.trace_id,
        "span_id": node.span_id,
        "name": node.name,
        "started": started.isoformat(),
        **node.as_json(),
    }
