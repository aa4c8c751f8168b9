"""From ended spans to the backlog, within a tenth of a second."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence

from otel_llm.delivery.backlog import Backlog
from otel_llm.delivery.catching_up import CatchingUp
from otel_llm.delivery.destination import SupportsDeferral
from otel_llm.delivery.encoder import STRIP_FROM, Deferred, Encoder
from otel_llm.delivery.flush import FlushRequest
from otel_llm.delivery.intake import Intake
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.loop import Loop

_logger = logging.getLogger(__name__)

#: Bounds of what is written at a time.
PIECE_RECORDS = 256
PIECE_BYTES = 1_000_000
#: Part of the disk queue that may be filled before nothing is put off any more. Then spans wait in memory, and hold up who ends them.
_PUT_OFF_UNTIL = 0.5


class Writer(Loop):
    """Encodes what has ended and puts it into the backlog. A span waits ``linger_s`` seconds for company."""

    def __init__(
        self,
        name: str,
        intake: Intake,
        *,
        encoder: Encoder,
        backlog: Backlog,
        catching_up: CatchingUp | None,
        log_limit: LogLimit,
        linger_s: float,
        passed_on: Callable[[FlushRequest | None], None],
    ) -> None:
        super().__init__(f"otel-llm-{name}-writer", log_limit, intake.bell)
        self._destination = name
        self._intake = intake
        self._encoder = encoder
        self._backlog = backlog
        self._catching_up = catching_up
        self._linger_s = linger_s
        self._passed_on = passed_on
        self._asked: deque[FlushRequest] = deque()
        self._waiting: list[FlushRequest] = []
        self._overflow_logged = 0
        #: First forms that neither the disk takes now, nor can records be made of them.
        self._left: list[Deferred] = []

    def request(self, request: FlushRequest) -> None:
        """Write what is there now, without lingering, and hand the request on when all of it is written."""
        self._asked.append(request)
        self.bell.ring()

    def step(self) -> float | None:
        """Encode and store one piece; or go on with what was put off, as long as nothing has waited for its time."""
        while self._asked:
            self._waiting.append(self._asked.popleft())
        if not self._waiting and self._intake.age_s() < self._linger_s and self._catch_up() == 0.0:
            return 0.0
        stored = self._store_piece()
        self._report_overflow()
        return 0.0 if stored else self._catch_up()

    def _store_piece(self) -> bool:
        """Whether there was one; and what it answers to those who wait for it."""
        spool = self._backlog.spool
        self._encoder.strip = spool is not None and spool.fills(STRIP_FROM)
        self._encoder.deferral = self._deferral_for_now()
        records, deferred = self._encoder.piece(PIECE_RECORDS, PIECE_BYTES)
        if records:
            self._backlog.append(records)
        if deferred or self._left:
            self._put_off([*self._left, *deferred])
        if self._waiting or self._works_here:
            self._backlog.store()
        taken = 0 if self._left else self._encoder.taken
        stored = [request for request in self._waiting if taken >= request.through]
        self._waiting = [request for request in self._waiting if taken < request.through]
        for request in stored:
            request.stored(self._backlog.mark)
            self._passed_on(request)
        if records and not stored:
            self._passed_on(None)
        return bool(records or deferred)

    def _deferral_for_now(self) -> SupportsDeferral | None:
        spool = self._backlog.spool
        if self._catching_up is None or spool is None or spool.fills(_PUT_OFF_UNTIL):
            return None
        return self._catching_up.deferral

    def _put_off(self, deferred: Sequence[Deferred]) -> None:
        if self._catching_up is None:
            return
        if self._backlog.defer(deferred):
            self._left = []
            self._catching_up.look_soon()
        else:
            records, self._left = self._catching_up.records_of(deferred)
            self._backlog.append(records)

    def _catch_up(self) -> float | None:
        if self._catching_up is None:
            return None
        wait_s = self._catching_up.step()
        if wait_s == 0.0:
            self._passed_on(None)
        return wait_s

    def rest(self, wait_s: float | None) -> None:
        """Wait for a span, and then for company."""
        if wait_s == 0.0:
            return
        if self._intake.rest() and not self.bell.wait(wait_s):
            self._intake.wake()
            return
        self._intake.wake()
        if not self._asked and not self._stopping:
            self.bell.wait(self._linger_s)

    def finish(self) -> None:
        """What has not been taken in by now is left to the account of the shutdown."""

    def _report_overflow(self) -> None:
        """Here rather than where it happens: logging does I/O."""
        overflow = self._intake.overflow
        if overflow > self._overflow_logged and self._log_limit.due("overflow"):
            _logger.warning(
                "%s: the queue is full; %d new span(s) were dropped since the last such line, %d in all. The destination is slower "
                "than the application, or not reachable.",
                self._destination,
                overflow - self._overflow_logged,
                overflow,
            )
            self._overflow_logged = overflow
