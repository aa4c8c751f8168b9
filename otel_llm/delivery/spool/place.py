"""Where the spool is, and whether that is a place for one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from otel_llm.private_files import UnsafePlaceError, make_private_directory
from otel_llm.state_directory import state_directory

#: Environment variable: the spool's directory, or ``none`` for a queue in memory only.
SPOOL_VARIABLE: Final = "OTEL_LLM_SPOOL_DIR"
REMEDY: Final = f"Set {SPOOL_VARIABLE} to a local directory of your own, or to none for a queue in memory only."
#: SQLite's write-ahead log needs shared memory, which these file systems do not give (https://sqlite.org/wal.html).
_NETWORK: Final = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|fuse\.(ceph|glusterfs|rclone|s3fs|sshfs)|glusterfs|gpfs|lustre|ncpfs|nfs4?|pvfs2|smb[23]|smbfs"
)
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
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved, found = path.resolve(), ("", "")
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if len(fields) < 5 or not kinds:
            continue
        point = fields[4].encode().decode("unicode_escape", "replace")
        if resolved.is_relative_to(point) and len(point) >= len(found[0]):
            found = (point, kinds[0])
    return found[1] if _NETWORK.fullmatch(found[1]) else None
