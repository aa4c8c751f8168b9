"""What the calls of this process cost so far, for the metrics of calls.

A call's end only notes what its price depends on. Prices are looked up when a reader of metrics collects, on that reader's thread.
"""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, NoOpMeterProvider, Observation, get_meter_provider
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.guard import guarded
from otel_llm.protocols.facts import Usage

REASON: Final = "otel_llm.reason"
#: Calls that wait for the next collection of metrics; those beyond are counted as of unknown cost.
MOST_WAITING: Final = 20_000
_DIMENSIONS: Final = (
    sc.OPERATION_NAME,
    sc.PROVIDER_NAME,
    sc.REQUEST_MODEL,
    sc.RESPONSE_MODEL,
    sc.SERVER_ADDRESS,
    sc.SERVER_PORT,
    sc.AGENT_NAME,
)
_TIERS: Final = (sc.OPENAI_RESPONSE_SERVICE_TIER, sc.RESPONSE_SERVICE_TIER, sc.OPENAI_REQUEST_SERVICE_TIER)

Dimensions = tuple[tuple[str, AttributeValue], ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """What the cost of one ended call depends on; ``started_ns`` since 1970."""

    dimensions: Dimensions
    usage: Usage
    tier: str | None
    started_ns: int
    failed: bool

    @classmethod
    def of(cls, attributes: Mapping[str, AttributeValue], usage: Usage, started_ns: int) -> Bill:
        """From the attributes of the call's span."""
        dimensions = tuple((name, attributes[name]) for name in _DIMENSIONS if name in attributes)
        tier = next((str(attributes[name]) for name in _TIERS if name in attributes), None)
        return cls(dimensions, usage, tier, started_ns, sc.ERROR_TYPE in attributes)


class Ledger:
    """Costs, and calls whose cost is not known, of the calls that one meter provider is told of."""

    def __init__(self) -> None:
        self._waiting: deque[Bill] = deque()
        self._lock = threading.Lock()
        self._costs: dict[Dimensions, float] = {}
        self._unknown: Counter[Dimensions] = Counter()

    def add(self, bill: Bill) -> None:
        """Note an ended call. Looks no price up."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(bill)
        else:
            self._miss(bill, "too many calls between two collections")

    def costs(self) -> Iterator[Observation]:
        """USD so far, by dimensions."""
        self._settle()
        with self._lock:
            known = list(self._costs.items())
        yield from (Observation(usd, dict(dimensions)) for dimensions, usd in known)

    def unknown(self) -> Iterator[Observation]:
        """Number of calls so far that are not in the costs, by dimensions and reason."""
        self._settle()
        with self._lock:
            known = list(self._unknown.items())
        yield from (Observation(calls, dict(dimensions)) for dimensions, calls in known)

    def _settle(self) -> None:
        while self._waiting:
            try:
                bill = self._waiting.popleft()
            except IndexError:  # another reader took the last one
                return
            self._enter(bill)

    @guarded
    def _enter(self, bill: Bill) -> None:
        from otel_llm.call_cost import cost_of  # prices take long to load, and most processes measure nothing

        usd = cost_of(dict(bill.dimensions), bill.usage, bill.tier, bill.started_ns)
        if usd is not None:
            with self._lock:
                self._costs[bill.dimensions] = self._costs.get(bill.dimensions, 0.0) + usd
        elif bill.usage.input_tokens is not None or bill.usage.output_tokens is not None:
            self._miss(bill, "no price")
        elif not bill.failed:
            self._miss(bill, "no tokens")

    def _miss(self, bill: Bill, reason: str) -> None:
        with self._lock:
            self._unknown[(*bill.dimensions, (REASON, reason))] += 1


class CostMetrics:
    """``otel_llm.client.cost`` and ``otel_llm.client.unpriced_calls`` of one meter provider; None: of the global one."""

    def __init__(self, meter: Meter, provider: MeterProvider | None) -> None:
        self._provider = provider
        meter.create_observable_counter(
            "otel_llm.client.cost", [partial(_observe, Ledger.costs, provider)], "{USD}", "Cost of calls"
        )
        meter.create_observable_counter(
            "otel_llm.client.unpriced_calls",
            [partial(_observe, Ledger.unknown, provider)],
            "{call}",
            "Calls whose cost is not known, by reason",
        )

    def record(self, attributes: Mapping[str, AttributeValue], usage: Usage, started_ns: int) -> None:
        """Note an ended call, if anybody measures."""
        provider = self._provider or get_meter_provider()
        if measures(provider):
            _ledger_of(provider).add(Bill.of(attributes, usage, started_ns))


Read = Callable[[Ledger], Iterator[Observation]]
_ledgers: WeakKeyDictionary[MeterProvider, Ledger] = WeakKeyDictionary()
_opening = threading.Lock()


@guarded
def _start_over() -> None:
    """In a forked child: what the parent has counted stays the parent's, and its locks may be held by nobody."""
    global _ledgers, _opening
    _ledgers, _opening = WeakKeyDictionary(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_over)


def _ledger_of(provider: MeterProvider) -> Ledger:
    ledger = _ledgers.get(provider)
    if ledger is None:
        with _opening:
            ledger = _ledgers.setdefault(provider, Ledger())
    return ledger


def _observe(read: Read, provider: MeterProvider | None, _: CallbackOptions) -> Iterator[Observation]:
    """By provider and not by instrument: the SDK keeps the first of several instruments of one name, whoever made it."""
    return read(_ledger_of(provider or get_meter_provider()))


def measures(provider: MeterProvider) -> bool:
    """Whether ``provider`` may have a reader: it is neither the API's stand-in for one that is not set nor one without effect."""
    return not isinstance(provider, NoOpMeterProvider) and type(provider).__name__ != "_ProxyMeterProvider"
