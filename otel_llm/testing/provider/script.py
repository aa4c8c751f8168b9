"""What a test has asked the fake provider to say, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from otel_llm.testing.provider.exchange import Exchange
from otel_llm.testing.provider.recording import Recording
from otel_llm.testing.provider.reply import Reply

Condition = Callable[[Exchange], bool]


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    says: Reply
    when: Condition | None


class Script:
    """Queued replies and recordings; each is used once. May be used by several threads at a time."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self._lock = threading.Lock()
        self._lines = [_Line(reply, None) for reply in replies]
        self._recordings: list[tuple[Recording, Reply]] = []

    def add(self, replies: Iterable[Reply], when: Condition | None) -> None:
        """Queue replies, for the requests that meet the condition."""
        with self._lock:
            self._lines += [_Line(reply, when) for reply in replies]

    def add_recording(self, recording: Recording, reply: Reply) -> None:
        """Queue a recording, and what is to be done to its bytes."""
        with self._lock:
            self._recordings.append((recording, reply))

    def reply_to(self, exchange: Exchange) -> Reply | None:
        """The first reply for this request, taken out of the queue."""
        with self._lock:
            line = next((line for line in self._lines if line.when is None or line.when(exchange)), None)
            if line is None:
                return None
            self._lines.remove(line)
            return line.says

    def recording_of(self, exchange: Exchange) -> tuple[Recording, Reply] | None:
        """The first recording for this request, taken out of the queue."""
        with self._lock:
            for index, (recording, _) in enumerate(self._recordings):
                if recording.matches(exchange):
                    return self._recordings.pop(index)
        return None

    def clear(self) -> None:
        """Forget what nobody has asked for yet."""
        with self._lock:
            self._lines.clear()
            self._recordings.clear()

    @property
    def unused(self) -> tuple[Reply, ...]:
        """Replies that nobody has asked for yet."""
        with self._lock:
            return tuple(line.says for line in self._lines)
