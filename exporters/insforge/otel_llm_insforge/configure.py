"""From settings to a destination that is ready to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from otel_llm.content_policy import ContentMode
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.errors import ConfigurationError
from otel_llm.masking import MaskFunction
from otel_llm_insforge.destination import LegacyDestination
from otel_llm_insforge.rest import RestStore
from otel_llm_insforge.settings import Connection, Options, load
from otel_llm_insforge.store import Store


def from_environment() -> LegacyDestination | None:
    """The destination that the environment describes; None if it describes none. Raises ConfigurationError naming all faults."""
    connection, options = load({})
    return LegacyDestination(_store(connection, options, None), options.mapping()) if connection.given else None


class InsForgeExporter(DestinationExporter):
    """A span exporter for the legacy tables, for ``OTEL_TRACES_EXPORTER=insforge`` or a ``TracerProvider`` of your own."""

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | Callable[[], str] | None = None,
        database_url: str | None = None,
        content: bool | ContentMode | Literal["full", "truncated", "hash", "none"] | None = None,
        content_max_chars: int | None = None,
        mask: MaskFunction | None = None,
        orphans: Literal["skip", "synthesize"] | None = None,
        telegram_id_attribute: str | None = None,
        user_id_attribute: str | None = None,
        span_names: Mapping[str, str] | None = None,
        create_tables: bool | None = None,
        gzip: bool | None = None,
    ) -> None:
        """What is not given comes from the environment. Raises ConfigurationError naming all faults.

        A callable ``api_key`` is asked for each request, so a rotated key is taken up. ``mask`` is applied to each text after the
        patterns of ``OTEL_LLM_MASK``: text in, text out.
        """
        key = api_key if callable(api_key) else None
        connection, options = load(
            {
                "base_url": base_url,
                "api_key": key() if key is not None else api_key,
                "database_url": database_url,
                "content": content,
                "content_max_chars": content_max_chars,
                "orphans": orphans,
                "telegram_id_attribute": telegram_id_attribute,
                "user_id_attribute": user_id_attribute,
                "span_names": span_names,
                "create_tables": create_tables,
                "gzip": gzip,
            }
        )
        if not connection.given:
            raise ConfigurationError(
                ["the exporter needs INSFORGE_BASE_URL and INSFORGE_API_KEY, or OTEL_LLM_LEGACY_DATABASE_URL"]
            )
        super().__init__(LegacyDestination(_store(connection, options, key), options.mapping(mask)))


def _store(connection: Connection, options: Options, key: Callable[[], str] | None) -> Store:
    if connection.database_url:
        return _sql_store(connection.database_url.get_secret_value(), options.create_tables)
    return RestStore(str(connection.base_url), key or connection.key, compress=options.gzip)


def _sql_store(database_url: str, create_tables: bool | None) -> Store:
    from otel_llm_insforge.database import create_engine, parse_url  # SQLAlchemy takes longer to load than all else
    from otel_llm_insforge.sql import SqlStore

    url = parse_url(database_url)
    embedded = url.get_backend_name() == "sqlite"
    return SqlStore(create_engine(url), create_tables=embedded if create_tables is None else create_tables)
