"""Files of ours can hold prompts: they are made for this user alone, in places where no other user can interfere."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from otel_llm.errors import OtelLLMError


class UnsafePlaceError(OtelLLMError):
    """A directory or file is not this user's own; the message says what to do."""


def make_private_directory(directory: Path, remedy: str) -> None:
    """Create ``directory`` for this user alone. ``remedy`` ends the message: what to set instead.

    Raises UnsafePlaceError if it is another user's, writable by all, or a link; OSError if it cannot be made.
    """
    if not directory.is_absolute():
        raise UnsafePlaceError(f"There is no home directory for the files of otel-llm. {remedy}")
    with contextlib.suppress(FileExistsError):
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePlaceError(f"{directory} is not a directory (a symbolic link is not followed). {remedy}")
    if hasattr(os, "geteuid") and found.st_uid not in (os.geteuid(), 0):
        raise UnsafePlaceError(f"{directory} belongs to another user, and what is kept there can hold prompts. {remedy}")
    if hasattr(os, "geteuid") and stat.S_IMODE(found.st_mode) & 0o022:
        raise UnsafePlaceError(f"{directory} is writable by other users, and what is kept there can hold prompts. {remedy}")


def make_private_file(path: Path, remedy: str) -> None:
    """Create ``path`` for this user alone, if it is not there. Raises UnsafePlaceError if it is a link or another user's."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600))
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise UnsafePlaceError(f"{path} is not a regular file of this user. Remove it. {remedy}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o600)
