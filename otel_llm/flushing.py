"""Spans on their way, whoever has set up the processors and exporters that they go through."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from opentelemetry import trace

from otel_llm.deadlines import within
from otel_llm.delivery.queue import Delivery
from otel_llm.tracing import stamped_providers


@runtime_checkable
class Flushable(Protocol):
    """A tracer provider of the SDK."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have its processors pass on what they hold."""


def known_providers() -> list[Flushable]:
    """The tracer providers whose spans otel-llm stamps, and the global one."""
    found = {id(each): each for each in (*stamped_providers(), trace.get_tracer_provider())}
    return [each for each in found.values() if isinstance(each, Flushable)]


def passed_on(providers: Iterable[Flushable], deadline: float) -> bool:
    """Whether their processors came to an end of passing on what they held by ``deadline``, in seconds of the monotonic clock.

    What they answer does not count: of the SDK's, those that the application has shut down say that they failed.
    """
    ended = [within(deadline - time.monotonic(), partial(_flush, each, deadline)) for each in providers]
    return all(ended)


def _flush(provider: Flushable, deadline: float) -> bool:
    provider.force_flush(max(0, int((deadline - time.monotonic()) * 1000)))
    return True


def stored(deliveries: Sequence[Delivery], deadline: float) -> bool:
    """Whether all that they took is on disk, or where there is no disk queue delivered, by ``deadline``."""
    for delivery in deliveries:
        delivery.hurry()
    found = [delivery.store(deadline - time.monotonic()) for delivery in deliveries]
    return all(found)


def delivered(deliveries: Sequence[Delivery], deadline: float) -> bool:
    """Whether all that they took is delivered or refused by ``deadline``."""
    for delivery in deliveries:
        delivery.hurry()
    found = [delivery.flush(deadline - time.monotonic()) for delivery in deliveries]
    return all(found)
