"""Sends mapped spans to Langfuse's OTLP endpoint."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.content_policy import ContentMode
from otel_llm.delivery import Delivered, Limits, Outcome, Split
from otel_llm.delivery.bounded_http import BoundedClient
from otel_llm.delivery.deferring import as_deferred, deferred, encoded
from otel_llm.delivery.log_limit import LogLimit
from otel_llm.masking import MaskFunction
from otel_llm.pricing import load_prices
from otel_llm.version import __version__
from otel_llm_langfuse import propagation
from otel_llm_langfuse.answers import outcome_of, unreachable
from otel_llm_langfuse.budget import budget_of
from otel_llm_langfuse.chatml import recent_texts
from otel_llm_langfuse.compression import gzipped
from otel_llm_langfuse.media import MediaMode
from otel_llm_langfuse.media_client import MediaClient
from otel_llm_langfuse.media_record import Opened, opened
from otel_llm_langfuse.media_upload import MediaUploads
from otel_llm_langfuse.otlp import record_of
from otel_llm_langfuse.partial_success import RejectedSpans
from otel_llm_langfuse.plain_values import with_plain_values
from otel_llm_langfuse.projects import settings_of_projects
from otel_llm_langfuse.score_batches import ScoreBatches
from otel_llm_langfuse.score_records import is_score
from otel_llm_langfuse.selection import Selection
from otel_llm_langfuse.sent_traces import SentTraces
from otel_llm_langfuse.settings import LangfuseSettings

PATH: Final = "/api/public/otel/v1/traces"
#: Of any other receiver of OTLP over HTTP.
_OTLP_PATH: Final = "/v1/traces"
_NO_KEYS_FOR_SCORES: Final = "scores need LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"
#: Of an answer to 512 scores, which tells what became of each.
_MOST_BYTES: Final = 1 << 20
_logger = logging.getLogger(__name__)
_log_limit = LogLimit(time.monotonic)


class LangfuseDestination:
    """A Langfuse project. ``settings`` must hold both keys, or the collector that has them: then spans go there, and only there.

    Scores and media go to Langfuse itself in either case. Without keys, media are only told of, and scores are dropped and counted.

    With ``project`` it takes the spans that are meant for the project of this name, without one those that name none. ``mask``
    takes the place of the process's own function that masks texts.
    """

    limits = Limits(max_records=512, max_bytes=3_000_000)

    def __init__(self, settings: LangfuseSettings, *, project: str | None = None, mask: MaskFunction | None = None) -> None:
        if not settings.configured:
            raise ValueError("a Langfuse destination needs a public and a secret key, or a collector to send to")
        self._settings = settings
        #: Which spans go to this project.
        self.selection = Selection(settings, project)
        self.name = self.selection.route.name
        propagation.listen()
        content = settings.policy(settings.content, mask)
        self._mapping = replace(settings.mapping, place=self.selection.place, content=content)
        #: Texts are bounded when they are mapped: media, which are taken out of them before, must be whole.
        self._before_mapping = replace(content, mode=ContentMode.FULL) if content.mode is ContentMode.TRUNCATED else content
        self._auth = _auth(settings)
        self._url = httpx.URL(settings.base_url + PATH if settings.via is None else settings.via + _OTLP_PATH)
        self._media_mode: MediaMode = "reference" if settings.media == "upload" and not settings.has_keys else settings.media
        #: What became of images, audio and files.
        self.media = MediaUploads()
        #: What a receiver took no part of.
        self.rejected = RejectedSpans(self._url.host, content.mask)
        self._budget = budget_of(settings)
        self._traces = SentTraces()
        self.scores = ScoreBatches(settings, self._auth, self._connected)
        self._client: httpx.Client | None = None
        self._client_pid = 0
        load_prices()

    @property
    def spool_key(self) -> str:
        """The project, by its address and public key, or the collector: what waits on disk for it is sent to no other."""
        where = self._settings.base_url if self._settings.via is None else f"via {self._settings.via}"
        return f"{where} {self._settings.public_key or ''}".rstrip()

    @property
    def settings(self) -> LangfuseSettings:
        """Where and how it sends."""
        return self._settings

    def encode(self, span: ReadableSpan) -> bytes | None:
        """One OTLP request of one span, mapped for Langfuse, or a score; None for what is not selected."""
        if is_score(span):
            return self._encode_score(span)
        found = self._selected(span)
        return None if found is None else self._record(found)

    def defer(self, span: ReadableSpan) -> bytes | None:
        """The span as it is, but for content that Langfuse is not to have; None for what is not selected."""
        if is_score(span):
            return as_deferred(self._encode_score(span))
        found = self._selected(span)
        return None if found is None else deferred(found, self._before_mapping, self._record)

    def encode_deferred(self, deferred: bytes) -> bytes | None:
        """The same as :meth:`encode`. Raises ValueError for what :meth:`defer` did not give."""
        return encoded(deferred, self._record)

    def _record(self, span: ReadableSpan) -> bytes:
        return record_of(span, self._mapping, self._media_mode)

    def _selected(self, span: ReadableSpan) -> ReadableSpan | None:
        """The span with what is known of its trace."""
        span = with_plain_values(span)
        return self._traces.completed(span) if self.selection.wants(span) else None

    def _encode_score(self, span: ReadableSpan) -> bytes | None:
        if not self.selection.route.leads_here(span):
            return None
        if self._settings.has_keys:
            return self.scores.encode(span)
        self.selection.left_out[_NO_KEYS_FOR_SCORES] += 1
        if _log_limit.due("score"):
            _logger.warning("A score is dropped: %s, since a collector takes spans only.", _NO_KEYS_FOR_SCORES)
        return None

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """Send the spans of a batch, then its scores."""
        return self.scores.send(records, self._send_spans, timeout_s=self._settings.within_timeout(timeout_s))

    def _send_spans(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """Upload the media of a batch, then POST its spans. The client's own HTTP is not traced."""
        try:
            batch = opened(records)
        except ValueError as error:
            return Split(str(error))
        with suppress_instrumentation():
            return self._upload(batch, timeout_s) or self._post(batch, timeout_s)

    def _upload(self, batch: Opened, timeout_s: float) -> Outcome | None:
        """None: go on with the spans."""
        if not batch.uploads:
            return None
        client = MediaClient(self._connected(), self._settings.base_url, self._auth, timeout_s)
        return self.media.upload(batch.uploads, client)

    def _post(self, batch: Opened, timeout_s: float) -> Outcome:
        body = gzipped(batch.requests, recent_texts())
        try:
            response = self._connected().post(
                self._url,
                content=body,
                headers=_HEADERS,
                auth=self._auth if self._settings.via is None else httpx.Auth(),
                timeout=timeout_s,
            )
        except httpx.RequestError as error:
            return unreachable(self._url.host, error)
        outcome = outcome_of(response)
        if isinstance(outcome, Delivered):
            self.media.sent(batch.uploads)
            self.rejected.note(response)
            if self._budget is not None:
                self._budget.count(len(batch.requests))
        return outcome

    def close(self) -> None:
        """Close the connections, leave all spans to others, and save the count of observations."""
        self.selection.close()
        if self._budget is not None:
            self._budget.save()
        if self._client is not None and self._client_pid == os.getpid():
            self._client.close()
        self._client = None

    def _connected(self) -> httpx.Client:
        """The client of this process: connections must not be shared with the process that this one was forked from."""
        if self._client is None or self._client_pid != os.getpid():
            self._client = BoundedClient(most_bytes=_MOST_BYTES, follow_redirects=False)
            self._client_pid = os.getpid()
        return self._client


_HEADERS: Final = {
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
    "x-langfuse-sdk-name": "otel-llm",
    "x-langfuse-sdk-version": __version__,
    "x-langfuse-ingestion-version": "4",
}


def _auth(settings: LangfuseSettings) -> httpx.Auth:
    """Langfuse's, or none where there are no keys."""
    if settings.public_key is None or settings.secret_key is None:
        return httpx.Auth()
    return httpx.BasicAuth(settings.public_key, settings.secret_key.get_secret_value())


def from_environment() -> list[LangfuseDestination]:
    """A destination for each project that the environment configures. Raises ConfigurationError naming all faults."""
    return [LangfuseDestination(settings, project=project) for project, settings in settings_of_projects().items()]
