"""The models there are to choose from: OpenRouter's and those of a local Ollama, kept on disk with their age."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from otel_llm.errors import DeliveryError
from otel_llm.models.catalogue_file import Snapshot, read_snapshot, write_snapshot
from otel_llm.models.catalogue_search import Wanted, search
from otel_llm.models.catalogue_sources import CatalogueSource, sources_of
from otel_llm.models.listed import ListedModel
from otel_llm.state_directory import state_directory

__all__ = ["Catalogue", "ListedModel", "Listing", "Wanted"]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of one provider's models, from when it is, and why it is not newer."""

    provider: str
    models: tuple[ListedModel, ...] = ()
    #: None: there was never a list.
    fetched_at: datetime | None = None
    #: What went wrong when it was asked for now.
    fault: str | None = None
    #: Entries of the list that were not understood.
    skipped: int = 0
    is_stale: bool = False

    def age(self) -> timedelta | None:
        """How long ago the list was fetched; None if there was never one."""
        return None if self.fetched_at is None else max(datetime.now(UTC) - self.fetched_at, timedelta(0))


class Catalogue:
    """Lists of models. Fetches, where a list is missing or too old: seconds at worst, so not on an event loop.

    Without a state directory nothing is kept. Safe for use by several threads and processes.
    """

    def __init__(
        self,
        sources: Sequence[CatalogueSource] | None = None,
        *,
        directory: Path | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._sources = tuple(sources_of(environ) if sources is None else sources)
        self._directory = directory or state_directory(environ)

    def listings(self, *, refresh: bool = False, offline: bool = False) -> list[Listing]:
        """What each provider offers. ``refresh`` asks all of them, ``offline`` none. Never raises for one that cannot be had."""
        return [self._listing(source, refresh=refresh, offline=offline) for source in self._sources]

    def search(self, wanted: Wanted, *, offline: bool = False) -> list[ListedModel]:
        """The models that are wanted, of all lists."""
        return search([model for listing in self.listings(offline=offline) for model in listing.models], wanted)

    def _listing(self, source: CatalogueSource, *, refresh: bool, offline: bool) -> Listing:
        kept = self._kept(source)
        stale = kept is None or not timedelta(0) <= datetime.now(UTC) - kept.fetched_at <= source.max_age
        if offline or (not stale and not refresh):
            return _told(source, kept, is_stale=stale)
        try:
            fetched = source.fetch()
        except DeliveryError as error:
            return _told(source, kept, is_stale=stale, fault=str(error).strip())
        if (path := self._path(source)) is not None:
            write_snapshot(path, fetched)
        return _told(source, fetched)

    def _kept(self, source: CatalogueSource) -> Snapshot | None:
        path = self._path(source)
        return None if path is None else read_snapshot(path, source.shown_url)

    def _path(self, source: CatalogueSource) -> Path | None:
        return None if self._directory is None else self._directory / f"catalogue-{source.provider}.json"


def _told(source: CatalogueSource, known: Snapshot | None, *, is_stale: bool = False, fault: str | None = None) -> Listing:
    if known is None:
        return Listing(source.provider, fault=fault, is_stale=True)
    return Listing(source.provider, known.models, known.fetched_at, fault, known.skipped, is_stale)
