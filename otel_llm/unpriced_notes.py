"""A note on disk of models without a price, for ``otel-llm doctor``, which is another process than the one that met them.

``unpriced.json`` in the user's state directory holds names of providers and models and when each was last seen, nothing else.
``OTEL_LLM_STATE_DIR=none`` keeps anything from being written. A note that cannot be written is not worth more than a debug line.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

from otel_llm.private_files import UnsafePlaceError, make_private_directory
from otel_llm.state_directory import VARIABLE, state_directory

_logger = logging.getLogger(__name__)

_FILE: Final = "unpriced.json"
_MOST_MODELS: Final = 200
_LONGEST_NAME: Final = 200
_LARGEST_FILE: Final = 1_000_000
_FORGOTTEN_AFTER: Final = timedelta(days=30)
#: What this process has noted already, by the process's id: a fork starts anew.
_done: set[tuple[int, str, str]] = set()


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model without a price, and when a call of it was last noted (UTC)."""

    provider: str
    model: str
    last_seen: datetime


def note_unpriced(provider: str, model: str) -> None:
    """Put a model into the note, once per process. Writes a small file, so it is for worker threads; never raises."""
    mark = (os.getpid(), provider, model)
    if mark in _done or len(_done) >= _MOST_MODELS:
        return
    _done.add(mark)
    directory = state_directory()
    if directory is None:
        return
    try:
        _write(directory, UnpricedModel(provider[:_LONGEST_NAME], model[:_LONGEST_NAME], datetime.now(UTC)))
    except (OSError, ValueError, UnsafePlaceError) as error:
        _logger.debug("A model without a price was not noted in %s: %s", directory, error)


def noted() -> list[UnpricedModel]:
    """What is in the note, the latest first, as far back as 30 days; nothing if it cannot be read."""
    directory = state_directory()
    return [] if directory is None else _read(directory / _FILE)


def _read(path: Path) -> list[UnpricedModel]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return []
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    listed = found.get("models") if isinstance(found, dict) else None
    models = [model for each in (listed if isinstance(listed, list) else []) if (model := _model(each)) is not None]
    recent = [model for model in models if datetime.now(UTC) - model.last_seen < _FORGOTTEN_AFTER]
    return sorted(recent, key=lambda model: model.last_seen, reverse=True)[:_MOST_MODELS]


def _model(each: Any) -> UnpricedModel | None:
    try:
        seen = datetime.fromisoformat(each["last_seen"])
        return UnpricedModel(str(each["provider"]), str(each["model"]), seen if seen.tzinfo else seen.replace(tzinfo=UTC))
    except (TypeError, KeyError, ValueError):
        return None


def _write(directory: Path, model: UnpricedModel) -> None:
    """Replace the note by one with ``model`` in it; of two processes at the same moment the later one wins."""
    make_private_directory(directory, f"Set {VARIABLE} to a directory of your own")
    others = [each for each in _read(directory / _FILE) if (each.provider, each.model) != (model.provider, model.model)]
    models = [
        {"provider": each.provider, "model": each.model, "last_seen": each.last_seen.isoformat(timespec="seconds")}
        for each in (model, *others)
    ]
    descriptor, temporary = mkstemp(dir=directory, prefix=_FILE)  # for this user alone: 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"models": models[:_MOST_MODELS]}, file, indent=1)
        os.replace(temporary, directory / _FILE)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
