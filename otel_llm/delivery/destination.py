"""The interface between the delivery machinery and a destination."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest batch that a destination takes. Bytes are those of the records, before compression."""

    max_records: int = 512
    max_bytes: int = 3_000_000


class Destination(Protocol):
    """Where spans go. Its methods run on threads of the delivery, never on the application's: ``encode`` on one, the others on another.

    A destination that has ``spool_key``, a text that names the receiver without a secret (address and project, say), gets a disk
    queue: what is meant for one receiver is never sent to another. One without it has a queue in memory. One that
    :class:`SupportsDeferral` too has its spans on disk sooner when many come at once.
    """

    #: Short and stable: "langfuse", "insforge". Names the destination in logs, statistics and settings.
    name: str
    limits: Limits

    def encode(self, span: ReadableSpan) -> bytes | None:
        """The record of one ended span, or None if the span is not for this destination.

        Pure: the same span gives the same bytes. Must not change the span.
        """

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """Send one batch, within about ``timeout_s`` seconds. Says by its outcome what happened; should not raise."""

    def close(self) -> None:
        """Release connections. Nothing is sent afterwards."""


def destination_key(destination: Destination) -> str | None:
    """The ``spool_key`` of a destination that has one."""
    key: str | None = getattr(destination, "spool_key", None)
    return key


@runtime_checkable
class SupportsDeferral(Protocol):
    """A destination whose ``encode`` takes long, and may be put off.

    Where spans end faster than they can be encoded, ``defer`` makes a first form of them that is stored instead, within a tenth of a
    second, and the record is made of that when there is time, perhaps by another process. Both run on the thread of ``encode``.
    """

    def defer(self, span: ReadableSpan) -> bytes | None:
        """The first form of a span, with no more content than its record will have; None if the span is not for this destination.

        What depends on the spans that ended before is done here.
        """

    def encode_deferred(self, deferred: bytes) -> bytes | None:
        """The record, of what :meth:`defer` gave; None if there is none."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Comparison of two destinations: ids of calls seen at both, at one only, and at both with different facts."""

    compared: int = 0
    missing: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    #: Number of observations that are rightly at one destination only, by reason.
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether something was compared and nothing is missing or different."""
        return self.compared > 0 and not self.missing and not self.different


@runtime_checkable
class SupportsParity(Protocol):
    """A destination that can compare what it stored with Langfuse observations."""

    def compare(self, observations: Iterable[Mapping[str, Any]], trace_ids: Sequence[str] | None = None) -> Parity:
        """Compare with observations in the form of Langfuse's ``GET /api/public/v2/observations``.

        ``trace_ids`` (32 hex digits each) limits the comparison to these traces.
        """

    def row_counts(self, trace_ids: Sequence[str] | None = None) -> Mapping[str, int]:
        """Number of rows by table; ``trace_ids`` (32 hex digits each) limits the count to the first pipelines of these traces."""
