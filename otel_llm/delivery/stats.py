"""What became of the spans of one delivery."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of this process's spans since it started (or was forked).

    ``received == delivered + pending + rejected + dropped + skipped`` at any time, whichever process delivered them.
    """

    #: Offered, whether taken or not.
    received: int = 0
    #: Taken over by the destination.
    delivered: int = 0
    #: Waiting to be encoded or sent, or being sent.
    pending: int = 0
    #: Refused for good by the destination (then among the dead letters of the disk queue), or not encodable.
    rejected: int = 0
    #: Not taken because the queue was full or shut down, left over at shutdown, or dropped from the disk queue (full, too old).
    dropped: int = 0
    #: Not wanted by the destination.
    skipped: int = 0
    #: Written to the disk queue, of the delivered, pending, rejected and dropped ones.
    spooled: int = 0
    #: Spans whose content was left out because the disk queue was nearly full.
    stripped: int = 0
    #: Tries that had to be repeated.
    retries: int = 0
    #: Reason of the latest failure of any kind.
    last_error: str | None = None
