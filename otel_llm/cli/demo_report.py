"""What ``otel-llm demo`` says: one JSON object for programs, a tree and three short paragraphs for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from otel_llm.cli.tree import calls_of, render, tree_from_spans
from otel_llm.demo.run import Demonstration

#: Name of a destination in the report -> name of its delivery.
_DELIVERIES = {"langfuse": "langfuse", "legacy": "insforge"}


def report(demonstration: Demonstration) -> dict[str, Any]:
    """The whole result in plain types."""
    parity = demonstration.parity
    return {
        "calls": [call.as_json() for call in calls_of(tree_from_spans(demonstration.spans))],
        "destinations": {name: _destination(demonstration, name) for name in _DELIVERIES},
        "langfuse": _langfuse(demonstration),
        "legacy": dict(demonstration.rows),
        "parity": {"compared": parity.compared, "missing": list(parity.missing), "different": list(parity.different)},
    }


def succeeded(demonstration: Demonstration) -> bool:
    """Whether everything was delivered, has arrived, and agrees."""
    stats = [demonstration.stats[name] for name in _DELIVERIES.values()]
    clean = not any(stat.pending or stat.rejected or stat.dropped for stat in stats)
    arrived = len(demonstration.observations) == demonstration.stats["langfuse"].delivered
    return clean and arrived and demonstration.parity.agrees


def _destination(demonstration: Demonstration, name: str) -> dict[str, Any]:
    stats, receivers = demonstration.stats[_DELIVERIES[name]], demonstration.receivers
    held = len(demonstration.observations) if name == "langfuse" else sum(demonstration.rows.values())
    return {
        "embedded": receivers.langfuse_embedded if name == "langfuse" else receivers.legacy_embedded,
        "received": held,
        "delivered": stats.delivered,
        "pending": stats.pending,
        "rejected": stats.rejected + stats.dropped,
    }


def _langfuse(demonstration: Demonstration) -> dict[str, Any]:
    rows = demonstration.observations
    return {
        "observations": len(rows),
        "generations": sum(row["type"] == "GENERATION" for row in rows),
        "total_tokens": sum(int((row.get("usageDetails") or {}).get("total", 0)) for row in rows),
        "total_cost": round(sum(float(row.get("totalCost") or 0) for row in rows), 9),
    }


def show(demonstration: Demonstration, result: Mapping[str, Any]) -> None:
    """Print the result for people."""
    console = Console()
    where = "stand-ins on this machine" if demonstration.vendors_embedded else "OpenRouter, with your key"
    console.print(f"[bold]A support pipeline of agents[/], its LLM calls made to {where}:\n")
    for tree in tree_from_spans(demonstration.spans):
        console.print(render(tree))
    console.print()
    lines = (*_arrivals(demonstration, result), "", *_comparison(demonstration), "", *_next(demonstration))
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _arrivals(demonstration: Demonstration, result: Mapping[str, Any]) -> Iterator[str]:
    langfuse, legacy = result["langfuse"], result["legacy"]
    holds = {
        "langfuse": f"{langfuse['observations']} observations, {langfuse['generations']} of them generations: "
        f"{langfuse['total_tokens']:,} tokens, ${langfuse['total_cost']:.5f}",
        "legacy": ", ".join(f"{count} in {table}" for table, count in legacy.items()),
    }
    for name, place in (("langfuse", demonstration.receivers.langfuse), ("legacy", demonstration.receivers.legacy)):
        row = result["destinations"][name]
        yield f"[bold]{name}[/] ({place}): {row['delivered']} delivered, {row['pending']} pending, {row['rejected']} rejected"
        yield f"  holds {holds[name]}"


def _comparison(demonstration: Demonstration) -> Iterator[str]:
    parity = demonstration.parity
    verdict = "[green]They agree.[/]" if parity.agrees else "[red]They do not agree.[/]"
    missing, different = len(parity.missing), len(parity.different)
    yield f"Compared {parity.compared} records of both: {missing} missing, {different} different. {verdict}"
    for reason, count in parity.excluded.items():
        yield f"  {count} in Langfuse only: {reason}"


def _next(demonstration: Demonstration) -> Iterator[str]:
    if not succeeded(demonstration):
        for name, stats in demonstration.stats.items():
            if stats.last_error:
                yield f"[red]{name}:[/] {stats.last_error}"
    yield "[bold]Next:[/] in your application,"
    yield '  import otel_llm; otel_llm.configure(service_name="my-app")'
    if demonstration.receivers.langfuse_embedded:
        yield "then `otel-llm traces` shows its calls. Set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to have them in Langfuse."
    else:
        yield "and its calls arrive where these did."
