"""A data directory that can't be written is refused with path and reason before anything happens (fault 27)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from segue.storage.api import DiskFailureError, PosixDisk, UnusableDirectoryError, lock_directory, open_store
from tests.faults.storage.driver import OPTIONS, nothing, run_store
from tests.faults.storage.sample import Sample, look_at
from tests.faults.storage.simulated_disk import Call
from tests.helpers.privileges import NOBODY, without_privileges


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that others may look into: those of pytest are private."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def test_a_directory_of_another_user_is_refused(reachable: Path) -> None:
    """Fault 27: wrong owner."""
    (reachable / "data").mkdir(mode=0o755)
    os.chmod(reachable / "data", 0o555)
    with (
        without_privileges(),
        pytest.raises(UnusableDirectoryError, match="Permission denied; choose a directory"),
        lock_directory(reachable / "data"),
    ):
        raise AssertionError


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with (
        pytest.raises(UnusableDirectoryError, match="it is not a directory"),
        lock_directory(tmp_path / "data"),
    ):
        raise AssertionError


@pytest.mark.parametrize("name", ["notes.txt", "usr"])
def test_a_directory_with_other_files_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    """`--data /tmp` by mistake, as root: taking it would set its mode to 0700 for everybody."""
    os.chmod(tmp_path, 0o755)
    (tmp_path / name).mkdir()
    with (
        pytest.raises(UnusableDirectoryError, match="there are other files in it, and no data of Segue"),
        lock_directory(tmp_path),
    ):
        raise AssertionError
    assert (os.listdir(tmp_path), stat.S_IMODE(tmp_path.stat().st_mode)) == ([name], 0o755)


@pytest.mark.parametrize("names", [(), ("lost+found",), (".profile",), ("LOCK", "notes.txt"), ("journal", "notes.txt")])
def test_a_directory_that_is_ours_or_as_good_as_empty_is_taken(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with lock_directory(tmp_path):
        assert {*names, "LOCK"} == set(os.listdir(tmp_path))


@pytest.mark.parametrize("path", ["catalog.db", "journal", "segments"])
def test_a_file_of_another_user_is_refused_by_its_name(reachable: Path, path: str) -> None:
    """Fault 27: part of a restored backup belongs to root."""
    root = reachable / "data"
    root.mkdir()
    run_store(PosixDisk(root), nothing)
    if os.geteuid() == 0:
        for each in (root, *root.rglob("*")):
            os.chown(each, NOBODY, NOBODY)
        os.chown(root / path, 0, 0)
    os.chmod(root / path, 0o500 if (root / path).is_dir() else 0o400)
    with without_privileges():
        assert (
            refusal_of(PosixDisk(root))
            == f"{root}/{path}: Permission denied; the data directory can't be used as it is"
        )
    os.chmod(root / path, 0o700)


def refusal_of(disk: PosixDisk) -> str:
    async def main() -> None:
        async with open_store(disk, OPTIONS, lambda: 0):
            raise AssertionError

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, UnusableDirectoryError)
    assert not isinstance(error, DiskFailureError)
    return str(error)


@pytest.mark.parametrize("what", ["check_access", "open_database", "open", "read_head", "list"])
def test_a_read_only_mount_is_refused_wherever_it_is_found(tmp_path: Path, what: str) -> None:
    """Fault 27: read-only mount."""
    disk = Sample.make(tmp_path / "sample").disk

    def read_only(call: Call) -> Exception | None:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), str(tmp_path)) if call.what == what else None

    disk.fault = read_only
    calls = len(disk.calls)
    assert look_at(disk).refused == f"{tmp_path}: Read-only file system; the data directory can't be used as it is"
    assert len(disk.calls) == calls, "nothing was written"
