"""Batches of spans and scores: the spans go first, and what was taken of a batch is not sent again with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased

from otel_llm.delivery import Delivered, Outcome, Reject, Split
from otel_llm_langfuse.score_api import ScoreApi, Verdicts
from otel_llm_langfuse.score_records import MARK, score_of, score_record
from otel_llm_langfuse.settings import LangfuseSettings

#: Records of which it is remembered what became of them, while the rest of their batch waits. To forget costs a repetition.
_MOST_REMEMBERED: Final = 4096
_TRACE_ID_DIGITS: Final = 32


class SendSpans(Protocol):
    """Sends records of spans."""

    def __call__(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome: ...


class ScoreBatches:
    """The scores of one destination. ``connected`` gives the HTTP client of this process."""

    def __init__(self, settings: LangfuseSettings, auth: httpx.Auth, connected: Callable[[], httpx.Client]) -> None:
        self._settings = settings
        self._connected = connected
        self._bound = TraceIdRatioBased.get_bound_for_rate(settings.sample_rate)
        self._verdicts: Verdicts = {}
        self.api = ScoreApi(settings.base_url, auth)

    def encode(self, span: ReadableSpan) -> bytes | None:
        """The record of a score; None if its trace is not sent."""
        record = score_record(span, self._settings.mapping)
        return record if self._is_sampled(score_of(record).get("traceId")) else None

    def send(self, records: Sequence[bytes], send_spans: SendSpans, *, timeout_s: float) -> Outcome:
        """Send a batch. Refused scores have it split, until each of them can be told and counted by itself."""
        deadline = time.monotonic() + timeout_s
        left = [record for record in records if record not in self._verdicts] if self._verdicts else records
        scores = [record for record in left if record.startswith(MARK)]
        if not scores and left is records:
            return send_spans(records, timeout_s=timeout_s)
        spans = [record for record in left if not record.startswith(MARK)]
        if spans:
            outcome = send_spans(spans, timeout_s=timeout_s)
            if not isinstance(outcome, Delivered):
                return outcome
            self._verdicts.update(dict.fromkeys(spans))
        with suppress_instrumentation():
            unsettled = self.api.send(scores, self._verdicts, self._connected(), deadline) if scores else None
        return unsettled or self._outcome(records)

    def _outcome(self, records: Sequence[bytes]) -> Outcome:
        """That of a batch of which all is settled."""
        reasons = [reason for record in records if (reason := self._verdicts.get(record)) is not None]
        if reasons and len(reasons) < len(records):
            return Split(reasons[0])
        for record in records:
            self._verdicts.pop(record, None)
        if len(self._verdicts) > _MOST_REMEMBERED:
            self._verdicts.clear()
        return Reject(reasons[0]) if reasons else Delivered()

    def _is_sampled(self, trace_id: str | None) -> bool:
        """Whether the spans of a trace are sent, by the rule that holds for them; a trace of other ids is not ours to sample."""
        try:
            number = int(trace_id, 16) if trace_id is not None and len(trace_id) == _TRACE_ID_DIGITS else 0
        except ValueError:
            return True
        return number & TraceIdRatioBased.TRACE_ID_LIMIT < self._bound
