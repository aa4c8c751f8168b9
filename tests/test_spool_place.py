"""Where a disk queue may be: of this user alone, and on a disk of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otel_llm.delivery.spool import SpoolPlace
from otel_llm.delivery.spool.place import network_file_system
from otel_llm.errors import ConfigurationError
from otel_llm.private_files import UnsafePlaceError
from otel_llm.settings import read_settings

ROOT = b"22 1 0:21 / / rw - ext4 /dev/vda rw\n"


def mounted(tmp_path: Path, line: bytes) -> Path:
    mounts = tmp_path / "mountinfo"
    mounts.write_bytes(ROOT + line + b"\n")
    return mounts


@pytest.mark.parametrize("name", [b"K\xc3\xa4se", b"K\xe4se", b"a\\040b", b"a\\134040b"])
def test_a_mount_point_of_any_name(tmp_path: Path, name: bytes) -> None:
    mounts = mounted(tmp_path, b"23 22 0:40 / /mnt/" + name + b" rw,relatime shared:1 - nfs4 server:/home rw")
    real = name.replace(b"\\040", b" ").replace(b"\\134", b"\\")
    assert network_file_system(Path(os.fsdecode(b"/mnt/" + real + b"/spool")), mounts) == "nfs4"
    assert network_file_system(Path("/mnt/other"), mounts) is None


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (b"fuse.gcsfuse bucket rw", "fuse.gcsfuse"),
        (b"fuse.juicefs JuiceFS:mine rw", "fuse.juicefs"),
        (b"fuse mountpoint-s3 rw", "fuse.mountpoint-s3"),
        (b"fuse blobfuse2 rw", "fuse.blobfuse2"),
        (b"fuse", None),
        (b"fuseblk /dev/sda1 rw", None),
        (b"virtiofs shared rw", None),
        (b"", None),
    ],
)
def test_file_systems_in_user_space(tmp_path: Path, told: bytes, kind: str | None) -> None:
    mounts = mounted(tmp_path, b"23 22 0:40 / /mnt rw - " + told)
    assert network_file_system(Path("/mnt/spool"), mounts) == kind


def test_a_place_that_is_not_there_yet_is_not_made_to_find_out(tmp_path: Path) -> None:
    place = SpoolPlace(tmp_path / "a" / "b")
    assert place.check() is False
    assert list(tmp_path.iterdir()) == []
    place.prepare()
    assert place.check() is True


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_directory_that_others_may_write_to_is_mended_where_it_is(tmp_path: Path, mode: int) -> None:
    place = SpoolPlace(tmp_path / "the spool")
    place.prepare()
    place.directory.chmod(mode)
    for look in (place.check, place.prepare):
        with pytest.raises(UnsafePlaceError) as refused:
            look()
        assert f"Run `chmod go-w '{place.directory}'` to keep what is in it. Or else: Set OTEL_LLM_" in str(refused.value)


def test_a_link_and_a_file_are_no_directories(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").write_text("")
    for name in ("link", "dangling", "loop", "file"):
        with pytest.raises(UnsafePlaceError, match=r"is not a directory \(a symbolic link is not followed\)"):
            SpoolPlace(tmp_path / name).check()


def test_a_place_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnsafePlaceError, match="file is not a directory that this user may write to"):
        SpoolPlace(tmp_path / "file" / "spool").check()


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux")
def test_a_place_where_the_kernel_keeps_its_own() -> None:
    with pytest.raises(UnsafePlaceError, match=r"/proc/spool cannot be reached, nor made"):
        SpoolPlace(Path("/proc/spool")).check()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("72h", "OTEL_LLM_SPOOL_MAX_AGE: must be a number of seconds, such as 259200 for 72 hours"),
        ("1e17", "OTEL_LLM_SPOOL_MAX_AGE: Input should be less than or equal to 315360000"),
        ("inf", "OTEL_LLM_SPOOL_MAX_AGE: Input should be less than or equal to 315360000"),
        ("nan", "OTEL_LLM_SPOOL_MAX_AGE: Input should be greater than 0"),
        ("0", "OTEL_LLM_SPOOL_MAX_AGE: Input should be greater than 0"),
    ],
)
def test_an_age_that_is_none(monkeypatch: pytest.MonkeyPatch, value: str, fault: str) -> None:
    monkeypatch.setenv("OTEL_LLM_SPOOL_MAX_AGE", value)
    with pytest.raises(ConfigurationError) as refused:
        read_settings()
    assert refused.value.faults == (fault,)


def test_an_age_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_SPOOL_MAX_AGE", "86400")
    assert read_settings().spool_max_age_s == 86_400.0
