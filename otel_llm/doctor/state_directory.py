"""Whether the places can be used where otel-llm keeps files of its own: the state directory and the local store."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from otel_llm.doctor.finding import Finding, Level
from otel_llm.errors import OtelLLMError
from otel_llm.local_file import LOCATION, default_path, open_for_reading
from otel_llm.state_directory import VARIABLE, state_directory


def state_findings() -> list[Finding]:
    """A warning for each place that cannot be used; nothing is created to find out."""
    return list(_problems()) or [Finding(Level.OK, "state directory", "its files can be written")]


def _problems() -> Iterator[Finding]:
    directory, store = state_directory(), default_path()
    if directory is None:
        yield Finding(Level.NOTE, VARIABLE, "nothing is kept: neither counts of observations nor models without a price")
    elif why := _unusable(directory):
        yield Finding(Level.WARNING, "state directory", why, f"Set {VARIABLE} to a directory of this user")
    if store.parent != directory and (why := _unusable(store.parent)):
        yield Finding(Level.WARNING, "local store", why, f"Set {LOCATION} to a file in a directory of this user")
    elif why := _unreadable(store):
        yield Finding(Level.WARNING, "local store", why, f"Remove it, or set {LOCATION} to another file")


def _unusable(directory: Path) -> str:
    """Why files cannot be made there; "" if they can."""
    if not directory.is_absolute():
        return "there is no home directory"
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return f"{existing} is not a directory that this user may write to"
    if existing == directory and _of_others(directory.lstat()):
        return f"{directory} is a link, belongs to another user or is writable by all, and what is kept there can hold prompts"
    return ""


def _of_others(found: os.stat_result) -> bool:
    foreign = hasattr(os, "geteuid") and (found.st_uid not in (os.geteuid(), 0) or bool(found.st_mode & stat.S_IWOTH))
    return foreign or not stat.S_ISDIR(found.st_mode)


def _unreadable(store: Path) -> str:
    if store.is_symlink():
        return f"{store} is a symbolic link"
    try:
        connection = open_for_reading(store)
    except (OtelLLMError, OSError) as error:
        return str(error)
    if connection is not None:
        connection.close()
    return ""
