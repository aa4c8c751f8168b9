"""Delivery: from ended spans to destinations, each independent of the others.

A destination turns a span into a record (bytes) and sends batches of records; its answer, an outcome, says what to do next.
"""

from __future__ import annotations

from otel_llm.delivery.destination import Destination, Limits, Parity, SupportsDeferral, SupportsParity
from otel_llm.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry, Split

__all__ = [
    "Delivered",
    "Destination",
    "Limits",
    "Outcome",
    "Parity",
    "Pause",
    "Reject",
    "Retry",
    "Split",
    "SupportsDeferral",
    "SupportsParity",
]
