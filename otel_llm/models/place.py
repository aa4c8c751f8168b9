"""Which store the environment names: a database, a YAML file, or one that another distribution brings by entry point."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from otel_llm.errors import ConfigurationError, MissingExtraError
from otel_llm.models.store import ModelStore
from otel_llm.state_directory import VARIABLE as STATE_VARIABLE
from otel_llm.state_directory import state_directory

#: A database's URL, the path of a ``.yaml`` file, the name of an entry point (``insforge``), or ``none``.
VARIABLE: Final = "OTEL_LLM_MODELS"
#: Seconds after which a change in the store is seen at the latest.
REFRESH_VARIABLE: Final = "OTEL_LLM_MODELS_REFRESH"
REFRESH_S: Final = 60.0
LONGEST_REFRESH_S: Final = 3_600.0
_ENTRY_POINTS: Final = "otel_llm_model_store"
_INSTALL: Final = "pip install 'otel-llm[models]'"


def open_store(place: str | None = None, environ: Mapping[str, str] = os.environ) -> ModelStore | None:
    """The store at ``place``, or where ``OTEL_LLM_MODELS`` says; else ``models.sqlite3`` in the state directory. None: there is none.

    Raises ConfigurationError, or MissingExtraError; reaches for nothing yet.
    """
    chosen = (environ.get(VARIABLE, "") if place is None else place).strip()
    if chosen.lower() == "none":
        return None
    if not chosen:
        path = _default_path(environ)
        return None if path is None else _sql(f"sqlite:///{path}")
    if "://" in chosen:
        return _sql(chosen)
    if chosen.lower().endswith((".yaml", ".yml")):
        return _file(Path(chosen).expanduser().absolute())
    return _named(chosen)


def open_existing_store(environ: Mapping[str, str] = os.environ) -> ModelStore | None:
    """Like :func:`open_store`, but None as long as nobody has set anything in the state directory: then the extra is not needed."""
    path = _default_path(environ)
    if not environ.get(VARIABLE, "").strip() and (path is None or not path.exists()):
        return None
    return open_store(environ=environ)


def _default_path(environ: Mapping[str, str]) -> Path | None:
    directory = state_directory(environ)
    return None if directory is None else directory / "models.sqlite3"


def refresh_seconds(environ: Mapping[str, str] = os.environ) -> float:
    """What ``OTEL_LLM_MODELS_REFRESH`` says; ``configure`` raises if that is no number, here it counts as not said."""
    try:
        seconds = float(environ.get(REFRESH_VARIABLE, ""))
    except ValueError:
        return REFRESH_S
    return seconds if 0 < seconds <= LONGEST_REFRESH_S else REFRESH_S


def no_store_message() -> str:
    """Why there may be no store, and what to set."""
    return f"There is no place for the choice of models: set {VARIABLE}, or {STATE_VARIABLE} to a directory."


def _sql(url: str) -> ModelStore:
    try:
        from otel_llm.models.sql import SqlStore  # SQLAlchemy takes longer to load than all else
    except ModuleNotFoundError as error:
        raise _missing(error, "A database of models") from error
    return SqlStore(url)


def _file(path: Path) -> ModelStore:
    try:
        from otel_llm.models.file import FileStore
    except ModuleNotFoundError as error:
        raise _missing(error, "A YAML file of models") from error
    return FileStore(path)


def _missing(error: ModuleNotFoundError, what: str) -> Exception:
    return MissingExtraError(what, _INSTALL) if error.name in ("sqlalchemy", "yaml") else error


def _named(name: str) -> ModelStore:
    known = entry_points(group=_ENTRY_POINTS)
    for entry in known:
        if entry.name == name.lower():
            from_environment: Callable[[], ModelStore] = entry.load()
            return from_environment()
    names = ", ".join(sorted({entry.name for entry in known})) or "none"
    raise ConfigurationError(
        [f"{VARIABLE} is neither a database's URL, nor the path of a .yaml file, nor the name of an installed store: {names}"]
    )
