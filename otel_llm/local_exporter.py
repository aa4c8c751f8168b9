"""The local store as an OpenTelemetry span exporter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from otel_llm.content_policy import ContentMode
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm.local import MAX_AGE_S, MAX_BYTES, LocalStore
from otel_llm.settings import read_settings


class LocalExporter(DestinationExporter):
    """For any ``TracerProvider``, for ``OTEL_TRACES_EXPORTER=local``, and for a declarative configuration.

    What is not given as an argument is read from the environment. Raises ConfigurationError that names every fault.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        max_bytes: int = MAX_BYTES,
        max_age_s: float = MAX_AGE_S,
        content: ContentMode | Literal["full", "truncated", "hash", "none"] | None = None,
    ) -> None:
        settings = read_settings()
        policy = settings.policy(settings.local_content if content is None else _mode(content))
        store = LocalStore(None if path is None else Path(path), max_bytes=max_bytes, max_age_s=max_age_s, content=policy)
        super().__init__(store)


def _mode(content: ContentMode | str) -> ContentMode:
    try:
        return ContentMode(content)
    except ValueError:
        words = ", ".join(mode.value for mode in ContentMode)
        raise ConfigurationError([f"content is {content!r}; it must be one of {words}"]) from None
