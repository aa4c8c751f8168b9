"""Somebody waits until spans are delivered."""

from __future__ import annotations

import threading

from otel_llm.delivery.backlog import Mark


class FlushRequest:
    """A wait for all spans up to the ordinal ``through``: first for the writer's thread, then for the sender's."""

    def __init__(self, through: int) -> None:
        self.through = through
        #: How far the backlog must be settled; set by the writer.
        self.mark: Mark | None = None
        #: Nobody waits for the answer any more.
        self.given_up = False
        self._succeeded = False
        self._answered = threading.Event()
        self._stored = threading.Event()

    def stored(self, mark: Mark) -> None:
        """The writer has passed on everything up to ``mark``."""
        self.mark = mark
        self._stored.set()

    def answer(self, succeeded: bool) -> None:
        """Let the waiting thread go on."""
        self._succeeded = succeeded
        self._answered.set()

    def wait(self, timeout_s: float) -> bool:
        """Whether it succeeded within ``timeout_s`` seconds."""
        self.given_up = not self._answered.wait(max(timeout_s, 0.0))
        return self._succeeded

    def wait_stored(self, timeout_s: float) -> bool:
        """Whether the writer was through within ``timeout_s`` seconds."""
        return self._stored.wait(max(timeout_s, 0.0))
