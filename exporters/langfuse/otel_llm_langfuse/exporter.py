"""Langfuse as an OpenTelemetry span exporter."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from otel_llm.content_policy import ContentMode
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm.masking import MaskFunction
from otel_llm_langfuse.destination import LangfuseDestination
from otel_llm_langfuse.projects import settings_of


class LangfuseExporter(DestinationExporter):
    """For any ``TracerProvider``, and for ``OTEL_TRACES_EXPORTER=langfuse``.

    With ``project`` it takes the spans that are meant for the project of this name, whose variables end in it
    (``LANGFUSE_PUBLIC_KEY_ACME``); without one, those that name none. What is not given as an argument is read from the environment.
    Raises ConfigurationError if that leaves no keys, or faults.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        public_key: str | None = None,
        secret_key: str | None = None,
        base_url: str | None = None,
        environment: str | None = None,
        release: str | None = None,
        timeout_s: float | None = None,
        sample_rate: float | None = None,
        content: ContentMode | Literal["full", "truncated", "hash", "none"] | None = None,
        content_max_chars: int | None = None,
        media: Literal["upload", "keep", "reference"] | None = None,
        spans: Literal["genai", "all"] | None = None,
        drop: Collection[str] | None = None,
        daily_observations: int | None = None,
        mask: MaskFunction | None = None,
    ) -> None:
        """``mask`` is applied to each text after the patterns of ``OTEL_LLM_MASK``: text in, text out."""
        settings = settings_of(
            project,
            public_key=public_key,
            secret_key=secret_key,
            base_url=base_url,
            environment=environment,
            release=release,
            timeout_s=timeout_s,
            sample_rate=sample_rate,
            content=content,
            content_max_chars=content_max_chars,
            media=media,
            spans=spans,
            drop=drop,
            daily_observations=daily_observations,
        )
        if not settings.configured:
            raise ConfigurationError(["LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set"])
        super().__init__(LangfuseDestination(settings, project=project, mask=mask))
