"""A trace as a tree in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text
from rich.tree import Tree

from otel_llm.cli import human
from otel_llm.cli.excerpts import excerpts
from otel_llm.cli.nesting import calls_of, tree_from_spans
from otel_llm.cli.node import SpanNode

__all__ = ["SpanNode", "calls_of", "headline", "label", "render", "tree_from_spans"]

_GAP = "  "
#: Characters shown of an error where the whole trace is not asked for.
_ERROR = 120


def render(root: SpanNode, *, content: bool = False) -> Tree:
    """The tree of ``root``, to print with rich; with ``content`` also whole errors and the messages of calls, shortened."""
    tree = Tree(label(root, whole_error=content), guide_style="dim")
    _add_below(tree, root, content)
    return tree


def label(node: SpanNode, *, below: str | None = None, whole_error: bool = False) -> Text:
    """One line on a span: name, provider, agent unless it is shown ``below`` it, tokens, cost, time to first token, duration, error."""
    text = Text.assemble((human.line(node.name), "" if node.is_call else "bold"))
    for detail in _details(node, below):
        text.append(_GAP)
        text.append(detail, style="dim")
    if node.error is not None:
        text.append(_GAP)
        text.append("error: " + human.line(node.error, 2_000 if whole_error else _ERROR), style="red")
    return text


def headline(trace_id: str, roots: Iterable[SpanNode], *, digits: int = 8) -> Text:
    """One line on a trace: the beginning of its id, when it started, and the sums over its calls."""
    roots = list(roots)
    calls = calls_of(roots)
    text = Text.assemble((trace_id[:digits], "bold cyan"))
    started = min((root.started_ns for root in roots), default=0)
    for detail in (human.moment(started), f"{len(calls)} call{'' if len(calls) == 1 else 's'}", *_sums(calls)):
        text.append(_GAP + detail, style="dim")
    failed = sum(call.error is not None for call in calls)
    if failed:
        text.append(f"{_GAP}{failed} failed", style="red")
    return text


def _add_below(tree: Tree, node: SpanNode, content: bool) -> None:
    if content:
        for excerpt in excerpts(node.attributes):
            tree.add(Text.assemble((f"{excerpt.role}: ", "dim"), (excerpt.text, "italic")))
    for child in node.children:
        _add_below(tree.add(label(child, below=node.agent, whole_error=content)), child, content)


def _details(node: SpanNode, below: str | None) -> Iterator[str]:
    if node.provider:
        yield human.line(node.provider)
    if node.model and node.model not in node.name:
        yield human.line(node.model)
    if node.agent and node.agent != below and node.agent not in node.name:
        yield f"agent {human.line(node.agent)}"
    if spent := human.tokens(node.input_tokens, node.output_tokens):
        yield spent
    if node.cost_usd is not None:
        yield human.cost(node.cost_usd)
    if node.ttft_ms is not None:
        yield f"first token {human.duration(node.ttft_ms)}"
    yield human.duration(node.duration_ms)


def _sums(calls: list[SpanNode]) -> Iterator[str]:
    """Of what is known; a sum is no more than that."""
    given = [call.input_tokens for call in calls if call.input_tokens is not None]
    answered = [call.output_tokens for call in calls if call.output_tokens is not None]
    if given or answered:
        yield human.tokens(sum(given) if given else None, sum(answered) if answered else None)
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    if costs:
        yield human.cost(sum(costs))
