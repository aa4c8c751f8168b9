"""Files of ours can hold prompts: they are made for this user alone, in places where no other user can interfere."""

from __future__ import annotations

import contextlib
import os
import shlex
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
    check_private_directory(directory, remedy)


def check_private_directory(directory: Path, remedy: str) -> None:
    """Whether an existing ``directory`` is as :func:`make_private_directory` makes it; makes nothing.

    Raises UnsafePlaceError if not; OSError if it is not there, or cannot be looked at.
    """
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafePlaceError(f"{directory} is not a directory (a symbolic link is not followed). {remedy}")
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise UnsafePlaceError(f"{directory} belongs to another user, and what is kept there can hold prompts. {remedy}")
    if stat.S_IMODE(found.st_mode) & 0o022:
        mended = f"Run `chmod go-w {shlex.quote(os.fspath(directory))}` to keep what is in it. Or else: "
        raise UnsafePlaceError(
            f"{directory} is writable by other users, and what is kept there can hold prompts. "
            f"{mended if found.st_uid == os.geteuid() else ''}{remedy}"
        )


def make_private_file(path: Path, remedy: str) -> None:
    """Create ``path`` for this user alone, if it is not there. Raises UnsafePlaceError if it is a link or another user's."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600))
    found = check_private_file(path, remedy)
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o600)


def check_private_file(path: Path, remedy: str) -> os.stat_result:
    """What is known of an existing ``path``. Raises UnsafePlaceError if it is a link or another user's; OSError if it is not there."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or (hasattr(os, "geteuid") and found.st_uid != os.geteuid()):
        raise UnsafePlaceError(f"{path} is not a regular file of this user. Remove it. {remedy}")
    return found
