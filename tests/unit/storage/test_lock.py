"""Tests of segue.storage.lock."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.storage.errors import DirectoryLockedError, UnusableDirectoryError
from segue.storage.lock import holder_of, lock_directory


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_who_holds_a_directory_is_known_as_long_as_he_does(tmp_path: Path) -> None:
    assert holder_of(tmp_path) is None
    with lock_directory(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
    assert holder_of(tmp_path) is None, "the file stays, the lock does not"


def test_a_directory_that_is_not_there_is_held_by_nobody(tmp_path: Path) -> None:
    assert holder_of(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_second_holder_is_refused_and_told_who_was_first(tmp_path: Path) -> None:
    with (
        lock_directory(tmp_path),
        pytest.raises(DirectoryLockedError, match=f"process {os.getpid()} uses") as caught,
        lock_directory(tmp_path),
    ):
        raise AssertionError
    assert caught.value.pid == os.getpid()


def test_a_holder_that_left_no_number_is_another_process(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "LOCK", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert holder_of(tmp_path) == 0
        with pytest.raises(DirectoryLockedError, match="another process uses") as caught, lock_directory(tmp_path):
            raise AssertionError
        assert caught.value.pid == 0
    finally:
        os.close(descriptor)


def test_a_daemon_is_not_refused_because_somebody_looks_who_holds_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`holder_of` takes a shared lock for a moment."""
    looker = os.open(tmp_path / "LOCK", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looker, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda seconds: os.close(looker))
    with lock_directory(tmp_path):
        assert holder_of(tmp_path) == os.getpid()


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), lock_directory(tmp_path):
        raise RuntimeError
    with lock_directory(tmp_path):
        assert holder_of(tmp_path) == os.getpid()


def test_folder_and_file_are_for_nobody_else_whatever_the_umask_says(no_umask: None, tmp_path: Path) -> None:
    """Fault 104."""
    with lock_directory(tmp_path / "a" / "data"):
        assert (mode_of(tmp_path / "a" / "data"), mode_of(tmp_path / "a" / "data" / "LOCK")) == (0o700, 0o600)


def test_an_open_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Fault 104."""
    os.chmod(tmp_path, 0o755)
    with lock_directory(tmp_path):
        assert mode_of(tmp_path) == 0o700


def test_a_file_system_without_locks_is_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(UnusableDirectoryError, match="can't be locked: No locks available"), lock_directory(tmp_path):
        raise AssertionError


def test_a_full_disk_that_takes_no_number_is_locked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 18: a start on a full disk serves consumers."""

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)
    with lock_directory(tmp_path):
        assert holder_of(tmp_path) == 0


def test_a_shorter_number_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "LOCK").write_bytes(b"123456789012345678\n")
    with lock_directory(tmp_path):
        assert holder_of(tmp_path) == os.getpid()
