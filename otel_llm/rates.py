"""What the parts of a call's tokens cost at given prices, in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol, TypeAlias

from otel_llm.token_parts import TokenCounts, exclusive_parts

_MILLION: Final = 1_000_000
_NOTHING: Final = Decimal(0)
_OUTPUTS: Final = frozenset({"output", "reasoning", "output_audio", "output_image"})
#: A flat price of the call itself, in USD.
REQUEST: Final = "request"
#: Which price each part has: its own, else that of what it is a part of.
_CHAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "input": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write": ("cache_write", "input"),
    "cache_write_5m": ("cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write", "input"),
    "input_audio": ("input_audio", "input"),
    "input_image": ("input_image", "input"),
    "cache_read_audio": ("cache_read_audio", "cache_read", "input_audio", "input"),
    "cache_read_image": ("cache_read_image", "cache_read", "input_image", "input"),
    "output": ("output",),
    "reasoning": ("reasoning", "output"),
    "output_audio": ("output_audio", "output"),
    "output_image": ("output_image", "output"),
}
#: Names of all prices of tokens.
TOKEN_PRICES: Final = frozenset(name for chain in _CHAINS.values() for name in chain)


class _Tier(Protocol):
    start: int
    price: Decimal


class Tiered(Protocol):
    """A price that steps up with the length of the input, for all tokens of the call; ``tiers`` are in order of their starts."""

    @property
    def base(self) -> Decimal: ...
    @property
    def tiers(self) -> list[_Tier]: ...


Price: TypeAlias = "Decimal | Tiered"
#: USD per million tokens, by the names of ``TOKEN_PRICES``; ``request`` is USD per call.
Prices: TypeAlias = Mapping[str, Price]


@dataclass(frozen=True, slots=True)
class Cost:
    """In USD. ``input`` includes the cache."""

    total: float
    input: float
    output: float
    #: Where the prices are from: ``genai-prices``, or ``price table`` for the user's own.
    source: str = "genai-prices"
    #: What ``total`` is made of: by part of the tokens (the names of ``exclusive_parts``), and ``request``.
    parts: Mapping[str, float] = field(default_factory=dict, compare=False)


def applicable(prices: Prices) -> Prices | None:
    """The price of each part; None if there is no price that could tell a cost."""
    found = {part: next((prices[name] for name in chain if name in prices), None) for part, chain in _CHAINS.items()}
    found[REQUEST] = prices.get(REQUEST)
    return {part: price for part, price in found.items() if price is not None} or None


def cost_at(rates: Prices, usage: TokenCounts, source: str) -> Cost:
    """The cost of one call at the prices of its parts, each an exact decimal until the end. Raises ValueError."""
    asked = usage.input_tokens or 0
    costs = {
        part: _rate(rates[part], asked) * count / _MILLION
        for part, count in exclusive_parts(usage).items()
        if count and part in rates
    }
    output = sum((cost for part, cost in costs.items() if part in _OUTPUTS), _NOTHING)
    tokens = sum(costs.values(), _NOTHING)
    flat = _rate(rates[REQUEST], asked) if REQUEST in rates else _NOTHING
    if flat:
        costs[REQUEST] = flat
    parts = {part: float(cost) for part, cost in costs.items()}
    return Cost(float(tokens + flat), float(tokens - output), float(output), source, parts)


def _rate(price: Price, input_tokens: int) -> Decimal:
    """Of a price in tiers that of the highest one whose start the input exceeds."""
    if isinstance(price, Decimal):
        return price
    above: list[Decimal] = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return above[-1] if above else price.base
