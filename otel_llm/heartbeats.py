"""Signs of life of long-running work."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from opentelemetry import trace
from opentelemetry.trace import Span
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.bounded_json import cut
from otel_llm.guard import guarded

_LONGEST_STATUS = 1_000


class heartbeat(AbstractContextManager["heartbeat"]):  # noqa: N801  (used like a function)
    """Every ``every_s`` seconds, an event ``otel_llm.heartbeat`` on the span that is current when the block begins.

    ``status`` says how far the work is: a text, or a function that returns one. In ``with`` it is called on a thread, in ``async with``
    on the event loop. It may be set while the block runs: ``beat.status = "half done"``. The events are delivered with the span,
    when it ends.

    Raises ValueError if ``every_s`` is not above 0.
    """

    def __init__(self, every_s: float = 60.0, status: str | Callable[[], object] | None = None) -> None:
        if not every_s > 0:
            raise ValueError(f"every_s is {every_s}; it must be above 0 seconds")
        self.status = status
        self._every_s = every_s
        self._span: Span = trace.INVALID_SPAN
        self._started = 0.0
        self._count = 0
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> heartbeat:
        self._begin()
        if self._span.is_recording():
            threading.Thread(target=self._beat_on_a_thread, name="otel-llm-heartbeat", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        self._stopped.set()

    async def __aenter__(self) -> heartbeat:
        self._begin()
        if self._span.is_recording():
            self._task = asyncio.get_running_loop().create_task(self._beat_on_the_loop(), name="otel-llm-heartbeat")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def beat(self) -> None:
        """Add an event now, out of turn."""
        self._add()

    def _begin(self) -> None:
        self._span, self._started, self._count = trace.get_current_span(), time.monotonic(), 0
        self._stopped = threading.Event()

    def _beat_on_a_thread(self) -> None:
        stopped = self._stopped
        while not stopped.wait(self._every_s) and self._span.is_recording():
            self._add()

    async def _beat_on_the_loop(self) -> None:
        while self._span.is_recording():
            await asyncio.sleep(self._every_s)
            self._add()

    @guarded
    def _add(self) -> None:
        self._count += 1
        told: dict[str, AttributeValue] = {
            sc.HEARTBEAT_COUNT: self._count,
            sc.HEARTBEAT_ELAPSED: round(time.monotonic() - self._started, 3),
        }
        status = self._said()
        if status is not None:
            told[sc.HEARTBEAT_STATUS] = status
        if self._span.is_recording() and not self._stopped.is_set():
            self._span.add_event(sc.HEARTBEAT, told)

    def _said(self) -> str | None:
        try:
            status = self.status() if callable(self.status) else self.status
            return None if status is None else cut(str(status), _LONGEST_STATUS)
        except Exception as error:  # noqa: BLE001  (the application's function, whose message may tell anything)
            return f"unknown: status raised {type(error).__name__}"
