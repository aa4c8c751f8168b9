"""Token counts that follow from the text: four characters a token, rounded up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from otel_llm.protocols.facts import Usage

#: USD a token, for the vendor that reports a cost.
_INPUT_PRICE = 3e-6
_OUTPUT_PRICE = 15e-6


def count(text: str) -> int:
    """Tokens of a text; 0 only for none."""
    return -(-len(text) // 4)


def made_up(given: Usage | None, *, prompt: str, answer: str, reasoning: str) -> Usage:
    """A usage with every count set: the given ones, and the others from the texts. The cost stays as given."""
    given = given or Usage()
    read, write, hour = given.cache_read or 0, given.cache_write or 0, given.cache_write_1h or 0
    thought = count(reasoning) if given.reasoning is None else given.reasoning
    return replace(
        given,
        input_tokens=count(prompt) + read + write if given.input_tokens is None else given.input_tokens,
        output_tokens=count(answer) + thought if given.output_tokens is None else given.output_tokens,
        cache_read=read,
        cache_write=write,
        cache_write_5m=write - hour if given.cache_write_5m is None else given.cache_write_5m,
        cache_write_1h=hour,
        reasoning=thought,
    )


def priced(usage: Usage) -> Usage:
    """With a cost, if none was given."""
    if usage.cost is not None:
        return usage
    cost = (usage.input_tokens or 0) * _INPUT_PRICE + (usage.output_tokens or 0) * _OUTPUT_PRICE
    return replace(usage, cost=round(cost, 9))


_COUNTS = tuple(name for name in Usage.__slots__ if name not in ("cost", "modalities"))


def total(usages: Iterable[Usage]) -> Usage:
    """The sum. A count that nobody sent is None; costs are added without rounding in between."""
    known = list(usages)
    sums: dict[str, Any] = {name: _sum([getattr(usage, name) for usage in known]) for name in _COUNTS}
    costs = [usage.cost for usage in known if usage.cost is not None]
    return Usage(**sums, cost=math.fsum(costs) if costs else None)


def _sum(values: list[int | None]) -> int | None:
    sent = [value for value in values if value is not None]
    return sum(sent) if sent else None
