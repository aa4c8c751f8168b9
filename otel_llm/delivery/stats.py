"""What became of the spans of one delivery."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of spans since the process started (or was forked).

    ``received == delivered + pending + rejected + dropped + skipped`` at any time.
    """

    #: Offered, whether taken or not.
    received: int = 0
    #: Taken over by the destination.
    delivered: int = 0
    #: Waiting to be encoded or sent, or being sent.
    pending: int = 0
    #: Refused for good by the destination, or not encodable.
    rejected: int = 0
    #: Not taken because the queue was full or shut down, or left over at shutdown.
    dropped: int = 0
    #: Not wanted by the destination.
    skipped: int = 0
    #: Tries that had to be repeated.
    retries: int = 0
    #: Reason of the latest failure of any kind.
    last_error: str | None = None
