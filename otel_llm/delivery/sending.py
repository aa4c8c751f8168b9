"""From the backlog to the destination, on a thread that waits for the network and for nobody else."""

from __future__ import annotations

import logging
from collections import deque

from otel_llm.delivery.backlog import Backlog
from otel_llm.delivery.destination import Destination
from otel_llm.delivery.flush import FlushRequest
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.delivery.loop import Loop
from otel_llm.delivery.sender import Sender

_logger = logging.getLogger(__name__)

#: Seconds between two looks at a spool that other processes write to, or send from.
_LOOK_S = 0.25
#: The same while somebody waits for what another process is sending.
_LOOK_WHILE_WAITED_FOR_S = 0.02


class Sending(Loop):
    """Sends batch after batch, and answers those who wait."""

    def __init__(self, destination: Destination, backlog: Backlog, sender: Sender, log_limit: LogLimit) -> None:
        super().__init__(f"otel-llm-{destination.name}", log_limit)
        self._destination = destination
        self._backlog = backlog
        self._sender = sender
        self._asked: deque[FlushRequest] = deque()
        self._waiting: list[FlushRequest] = []

    def passed_on(self, request: FlushRequest | None) -> None:
        """Something was put into the backlog; or somebody waits for what was: then a wait is cut short once."""
        if request is not None:
            self._asked.append(request)
        self.start()
        self.bell.ring()

    def step(self) -> float | None:
        """Try to send one batch. With a spool, look again soon, for other processes do not ring."""
        while self._asked:
            self._waiting.append(self._asked.popleft())
            self._sender.cut_wait()
        if self._sender.due_in_s() == 0.0:
            self._sender.send()
        self._answer()
        due_s = self._sender.due_in_s()
        if self._backlog.spool is None or due_s == 0.0:
            return due_s
        look_s = _LOOK_WHILE_WAITED_FOR_S if self._waiting else _LOOK_S
        return look_s if due_s is None else min(due_s, look_s)

    def finish(self) -> None:
        """Close the destination and the spool."""
        self._backlog.close()
        try:
            self._destination.close()
        except Exception as error:  # nothing can be done about it at the end
            _logger.debug("%s: closing failed", self._destination.name, exc_info=error)

    def _answer(self) -> None:
        """A paused destination has just been tried and will not be soon again, so waiting on would be in vain."""
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            through = request.mark is not None and self._backlog.is_through(request.mark)
            if through or self._sender.paused:
                request.answer(through)
            elif not request.given_up:
                self._waiting.append(request)
