"""Langfuse as an OpenTelemetry span exporter."""

from __future__ import annotations

from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm_langfuse.destination import LangfuseDestination
from otel_llm_langfuse.settings import LangfuseSettings


class LangfuseExporter(DestinationExporter):
    """For any ``TracerProvider``, and for ``OTEL_TRACES_EXPORTER=langfuse``.

    What is not given as an argument is read from the environment. Raises ConfigurationError if that leaves no keys, or faults.
    """

    def __init__(
        self,
        *,
        public_key: str | None = None,
        secret_key: str | None = None,
        base_url: str | None = None,
        environment: str | None = None,
        release: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        settings = LangfuseSettings.load(
            public_key=public_key,
            secret_key=secret_key,
            base_url=base_url,
            environment=environment,
            release=release,
            timeout_s=timeout_s,
        )
        if not settings.configured:
            raise ConfigurationError(["LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set"])
        super().__init__(LangfuseDestination(settings))
