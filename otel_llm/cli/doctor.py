"""``otel-llm doctor``: what is right and wrong with this environment, and what to do."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

import click
from rich.text import Text

from otel_llm.cli import human
from otel_llm.cli.console import stdout_console
from otel_llm.doctor import Finding, Level

_STYLES = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.FAULT: "bold red"}
#: Worst first, as they are shown.
_ORDER = (Level.FAULT, Level.WARNING, Level.NOTE, Level.OK)
_LONGEST = 1_000


@click.command()
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: faults, warnings, notes, ok (counts) and findings."
)
@click.option("--offline", is_flag=True, help="Look at settings and packages only; ask no server.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1, max=600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Time for all checks, which run side by side.",
)
def doctor(as_json: bool, offline: bool, timeout_s: float) -> None:
    """Check this environment: why calls, prompts, tokens or cost are missing somewhere.

    Run it where the application runs, with its variables and in its virtual environment. It looks at

    \b
    - settings: of otel-llm, of each destination, and OTEL_* that quietly ruin what is recorded
    - destinations: can they be reached, are the keys accepted, are spans taken, is the clock in step
    - content: whether prompts and answers are recorded where somebody expects to see them
    - packages: other instrumentations of the same calls, SDKs that are not recorded, versions that do not fit
    - prices: models without one; the budget of observations
    - disk queue: can spans wait there; how many wait, were refused, or were lost

    It changes nothing: servers are only read from, and get one export without spans. No key, no prompt and no other
    secret is ever printed, so the output can be shared.

    A finding is a fault (does not work), a warning (works, but not as expected), a note, or ok.
    Exit status: 0 without faults, 1 with.
    """  # noqa: D301  (click keeps the lines of a paragraph that begins with this very character)
    from otel_llm.doctor.examination import examine  # loads what --help need not wait for

    found = examine(timeout_s=timeout_s, offline=offline)
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=2))
    else:
        _show(found)
    sys.exit(1 if any(finding.level is Level.FAULT for finding in found) else 0)


def _as_json(found: Sequence[Finding]) -> dict[str, object]:
    counts = Counter(finding.level for finding in found)
    return {
        "faults": counts[Level.FAULT],
        "warnings": counts[Level.WARNING],
        "notes": counts[Level.NOTE],
        "ok": counts[Level.OK],
        "findings": [{**asdict(finding), "level": finding.level.value} for finding in found],
    }


def _show(found: Sequence[Finding]) -> None:
    console = stdout_console()
    for finding in sorted(found, key=lambda finding: _ORDER.index(finding.level)):
        console.print(_line(finding))
        if finding.do:
            console.print(Text(f"         -> {human.line(finding.do, _LONGEST)}", style="dim"))
    console.print()
    console.print(_summary(Counter(finding.level for finding in found)))


def _line(finding: Finding) -> Text:
    where, what = human.line(finding.where), human.line(finding.what, _LONGEST)
    return Text.assemble((f"{finding.level.value:<9}", _STYLES[finding.level]), (where, "bold"), f": {what}")


def _summary(counts: Counter[Level]) -> Text:
    if not counts[Level.FAULT] and not counts[Level.WARNING]:
        return Text("Nothing is wrong.", style="green")
    return Text(f"{_number(counts[Level.FAULT], 'fault')}, {_number(counts[Level.WARNING], 'warning')}.")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
