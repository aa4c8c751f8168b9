"""Sends mapped spans to Langfuse's OTLP endpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Limits, Outcome
from otel_llm.version import __version__
from otel_llm_langfuse.answers import outcome_of, unreachable
from otel_llm_langfuse.chatml import recent_texts
from otel_llm_langfuse.compression import gzipped
from otel_llm_langfuse.otlp import record_of
from otel_llm_langfuse.selection import wants
from otel_llm_langfuse.settings import LangfuseSettings

PATH: Final = "/api/public/otel/v1/traces"


class LangfuseDestination:
    """A Langfuse project. ``settings`` must hold both keys."""

    name = "langfuse"
    limits = Limits(max_records=512, max_bytes=3_000_000)

    def __init__(self, settings: LangfuseSettings) -> None:
        if settings.public_key is None or settings.secret_key is None:
            raise ValueError("a Langfuse destination needs a public and a secret key")
        self._settings = settings
        self._mapping = settings.mapping
        self._public_key = settings.public_key
        self._auth = httpx.BasicAuth(settings.public_key, settings.secret_key.get_secret_value())
        self._url = httpx.URL(settings.base_url + PATH)
        self._client: httpx.Client | None = None
        self._client_pid = 0

    def encode(self, span: ReadableSpan) -> bytes | None:
        """One OTLP request of one span, mapped for Langfuse; None for spans that are not GenAI or of another project."""
        return record_of(span, self._mapping) if wants(span, self._public_key) else None

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Outcome:
        """POST a batch. The client's own HTTP is not traced."""
        body = gzipped(records, recent_texts())
        timeout = min(timeout_s, self._settings.timeout_s)
        with suppress_instrumentation():
            try:
                return outcome_of(self._connected().post(self._url, content=body, timeout=timeout))
            except httpx.RequestError as error:
                return unreachable(self._url.host, error)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None and self._client_pid == os.getpid():
            self._client.close()
        self._client = None

    def _connected(self) -> httpx.Client:
        """The client of this process: connections must not be shared with the process that this one was forked from."""
        if self._client is None or self._client_pid != os.getpid():
            self._client = httpx.Client(auth=self._auth, headers=_HEADERS, follow_redirects=False)
            self._client_pid = os.getpid()
        return self._client


_HEADERS: Final = {
    "content-type": "application/x-protobuf",
    "content-encoding": "gzip",
    "x-langfuse-sdk-name": "otel-llm",
    "x-langfuse-sdk-version": __version__,
    "x-langfuse-ingestion-version": "4",
}


def from_environment() -> LangfuseDestination | None:
    """The destination that the environment configures, or None without keys. Raises ConfigurationError naming all faults."""
    settings = LangfuseSettings.load()
    return LangfuseDestination(settings) if settings.configured else None
