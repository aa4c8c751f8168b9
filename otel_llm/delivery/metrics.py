"""What an operator watches of the deliveries of this process, as OpenTelemetry metrics.

All instruments are observed: figures are read when a reader collects, and cost nothing where nobody has set a meter provider.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter

from otel_llm.delivery import running
from otel_llm.delivery.spool.disk import Counts
from otel_llm.delivery.stats import Stats
from otel_llm.version import SCOPE, __version__

if TYPE_CHECKING:
    from otel_llm.delivery.queue import Delivery

_logger = logging.getLogger(__name__)

_PREFIX: Final = "otel_llm.delivery."
DESTINATION: Final = "otel_llm.destination"
REASON: Final = "otel_llm.reason"
#: Seconds for which figures of a delivery are used again: the instruments of one collection then tell the same moment.
_FRESH_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """A delivery at one moment."""

    stats: Stats
    #: What is on disk for its destination, whoever wrote it.
    counts: Counts
    losses: Mapping[str, int]
    queue_spans: int
    queue_bytes: int
    taken_at: float = field(default_factory=time.monotonic)

    @property
    def oldest_s(self) -> float:
        """Seconds that the first span on disk has waited; 0 if none does, or the clock was set back."""
        oldest_ms = self.counts.oldest_ms
        return 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)


Read = Callable[[Figures], float | Mapping[str, int]]

_COUNTERS: Final[tuple[tuple[str, str, str, Read], ...]] = (
    ("delivered", "{span}", "Spans taken over by the destination", lambda now: now.stats.delivered),
    ("rejected", "{span}", "Spans refused for good", lambda now: now.stats.rejected),
    ("dropped", "{span}", "Spans lost, by reason", lambda now: now.losses),
    ("stripped", "{span}", "Spans kept without content, as the disk queue was nearly full", lambda now: now.stats.stripped),
    ("retries", "{try}", "Tries that had to be repeated", lambda now: now.stats.retries),
)
_GAUGES: Final[tuple[tuple[str, str, str, Read], ...]] = (
    ("queue.spans", "{span}", "Spans in memory, to be encoded, stored or sent", lambda now: now.queue_spans),
    ("queue.size", "By", "Spans in memory", lambda now: now.queue_bytes),
    ("spool.spans", "{span}", "Spans on disk, whoever wrote them", lambda now: now.counts.spans),
    ("spool.size", "By", "Spans on disk", lambda now: now.counts.bytes),
    ("spool.oldest_age", "s", "How long the first span on disk has waited", lambda now: now.oldest_s),
    ("spool.dead_letters", "{span}", "Spans refused for good and kept on disk", lambda now: now.counts.dead),
)


def observe_deliveries(provider: MeterProvider | None = None) -> None:
    """Offer the metrics of all deliveries of this process to ``provider``; default: the global one, also if it is set later.

    The instruments are ``otel_llm.delivery.*``, each by ``otel_llm.destination``; those dropped also by ``otel_llm.reason``.
    A second call changes nothing: the SDK has each instrument once.
    """
    meter, latest = get_meter(SCOPE, __version__, provider), _Latest()
    for name, unit, what, read in _COUNTERS:
        meter.create_observable_counter(_PREFIX + name, [partial(latest.observations, read)], unit, what)
    for name, unit, what, read in _GAUGES:
        meter.create_observable_gauge(_PREFIX + name, [partial(latest.observations, read)], unit, what)


class _Latest:
    """The figures of each delivery, read anew when they are no longer fresh."""

    def __init__(self) -> None:
        self._figures: dict[int, Figures] = {}

    def observations(self, read: Read, _: CallbackOptions) -> Iterator[Observation]:
        """What one instrument tells. Never raises: a meter's reader is not to suffer from a fault of ours."""
        for delivery in running.deliveries():
            try:
                found = read(self._of(delivery))
                name = {DESTINATION: delivery.destination.name}
                if isinstance(found, Mapping):
                    yield from [Observation(value, {**name, REASON: reason}) for reason, value in found.items()]
                else:
                    yield Observation(found, name)
            except Exception as error:
                _logger.debug("a delivery could not be measured", exc_info=error)

    def _of(self, delivery: Delivery) -> Figures:
        known = self._figures.get(id(delivery))
        if known is None or time.monotonic() - known.taken_at > _FRESH_S:
            alive = {id(each) for each in running.deliveries()}
            self._figures = {key: figures for key, figures in self._figures.items() if key in alive}
            known = self._figures[id(delivery)] = _figures(delivery)
        return known


def _figures(delivery: Delivery) -> Figures:
    spool = delivery.spool
    return Figures(delivery.stats, Counts() if spool is None else spool.counts(), delivery.losses, *delivery.in_memory)
