"""A provider's list of models on disk, for this user alone, with its age."""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from pydantic import TypeAdapter, ValidationError

from otel_llm.models.listed import ListedModel
from otel_llm.private_files import UnsafePlaceError, make_private_directory
from otel_llm.state_directory import VARIABLE

_logger = logging.getLogger(__name__)

_LARGEST_FILE: Final = 64_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a provider listed at a time (with its zone)."""

    #: Where it came from, without secrets.
    url: str
    fetched_at: datetime
    models: tuple[ListedModel, ...]
    #: Entries that were not understood.
    skipped: int = 0


_SNAPSHOT: Final = TypeAdapter(Snapshot)


def read_snapshot(path: Path, url: str) -> Snapshot | None:
    """The list that was kept of ``url``; None if there is none that can be read."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return None
        kept = _SNAPSHOT.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return kept if kept.url == url and kept.fetched_at.tzinfo is not None else None


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Put a list in the place of the one before, at once; of two processes the later wins. Never raises: it can be fetched again."""
    try:
        make_private_directory(path.parent, f"Set {VARIABLE} to a directory of your own")
        _replace(path, _SNAPSHOT.dump_json(snapshot))
    except (OSError, UnsafePlaceError) as error:
        _logger.debug("A list of models was not kept in %s: %s", path, error)


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = mkstemp(dir=path.parent, prefix=path.name)  # for this user alone: 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
