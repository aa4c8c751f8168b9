"""Where the spool is, and whether that is a place for one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_llm.private_files import UnsafePlaceError, check_private_directory, make_private_directory
from otel_llm.state_directory import state_directory

#: Environment variable: the spool's directory, or ``none`` for a queue in memory only.
SPOOL_VARIABLE: Final = "OTEL_LLM_SPOOL_DIR"
REMEDY: Final = f"Set {SPOOL_VARIABLE} to a local directory of your own, or to none for a queue in memory only."
#: SQLite's write-ahead log needs memory that all who use the file share, which these file systems do not give
#: (https://sqlite.org/wal.html). Not virtiofs and vboxsf: the processes of one guest share its page cache.
_NETWORK: Final = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|glusterfs|gpfs|lustre|ncpfs|nfs4?|pvfs2|smb[23]|smbfs|"
    r"fuse\.(blobfuse2|ceph|gcsfuse|glusterfs|goofys|juicefs|mountpoint-s3|rclone|s3fs|sshfs)"
)
#: File systems of the kernel's own, where no files can be kept.
_PSEUDO: Final = re.compile(r"cgroup2?|debugfs|devpts|proc|securityfs|sysfs|tracefs")
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")
_MOUNTS: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """A spool's directory. Several processes may share it."""

    directory: Path

    @property
    def file(self) -> Path:
        """The database."""
        return self.directory / "spool.sqlite3"

    def lock(self, destination: str) -> Path:
        """The file whose lock is held by the process that sends to ``destination``."""
        return self.directory / f"{hashlib.sha256(destination.encode()).hexdigest()[:16]}.lock"

    def presence(self, writer: str) -> Path:
        """The file whose lock is held by the process that is ``writer``, as long as it lives."""
        return self.directory / f"writer-{writer}.lock"

    def prepare(self) -> None:
        """Make the directory. Raises UnsafePlaceError for a place that is unsafe or on a network, OSError if it cannot be made."""
        make_private_directory(self.directory, REMEDY)
        self._check_file_system()

    def check(self) -> bool:
        """Whether the directory is there, and as :meth:`prepare` wants it. Makes nothing.

        Raises UnsafePlaceError for a place that is unsafe, on a network, or where no directory can be made; OSError for one that
        cannot be looked at.
        """
        there = os.path.lexists(self.directory)
        if there:
            check_private_directory(self.directory, REMEDY)
        else:
            self._check_parent()
        self._check_file_system()
        return there

    def _check_parent(self) -> None:
        """Whether the directory can be made. The superuser may write everywhere, but not add to what is the kernel's own."""
        parent = next(place for place in self.directory.parents if os.path.lexists(place))
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK) or _PSEUDO.fullmatch(_file_system(parent, _MOUNTS)):
            raise UnsafePlaceError(
                f"{self.directory} cannot be reached, nor made: {parent} is not a directory that this user may write to. {REMEDY}"
            )

    def _check_file_system(self) -> None:
        kind = network_file_system(self.directory)
        if kind is not None:
            raise UnsafePlaceError(
                f"{self.directory} is on a network file system ({kind}), where a spool is not safe. {REMEDY}"
            )


def spool_place(environ: Mapping[str, str] = os.environ) -> SpoolPlace | None:
    """``$OTEL_LLM_SPOOL_DIR``, else ``spool`` in the state directory; None if either says ``none``."""
    chosen = environ.get(SPOOL_VARIABLE, "").strip()
    if chosen.lower() == "none":
        return None
    if chosen:
        return SpoolPlace(Path(os.path.expanduser(chosen)).absolute())
    state = state_directory(environ)
    return None if state is None else SpoolPlace(state / "spool")


def network_file_system(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The type of the network file system that ``path`` is on; None for a local one, or where it cannot be told (not Linux)."""
    kind = _file_system(path, mounts)
    return kind if _NETWORK.fullmatch(kind) else None


def _file_system(path: Path, mounts: Path) -> str:
    """As the kernel tells it, or "". Names of mount points are bytes, of which the kernel writes some in octal."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return ""
    resolved, longest, kind = Path(os.path.realpath(path)), "", ""
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields, kinds = before.split(b" "), after.split(b" ")
        if len(fields) < 5 or not kinds[0]:
            continue
        point = os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), fields[4]))
        if resolved.is_relative_to(point) and len(point) >= len(longest):
            longest, kind = point, _kind(*map(os.fsdecode, kinds[:2]))
    return kind


def _kind(kind: str, source: str = "") -> str:
    """Some programs in user space do not name their type: the name is then that of the source."""
    return f"fuse.{source}" if kind == "fuse" else kind
