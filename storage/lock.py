"""The lock on a data directory: one daemon at a time, released by the kernel however the process ends."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from segue.storage.errors import DirectoryLockedError, UnusableDirectoryError

__all__ = ["holder_of", "lock_directory"]

_LOCK = "LOCK"
_OURS = frozenset({_LOCK, "catalog.db", "catalog.new", "journal", "segments"})
_OF_THE_FILE_SYSTEM = "lost+found"
_TEXT_BYTES = 32
_ATTEMPTS = 3
"""`holder_of` takes a shared lock for a moment; a daemon that starts just then must not be told of a second one."""
_PAUSE_SECONDS = 0.02


@contextlib.contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Hold the lock, creating the directory (mode 0700) where it is missing.

    Raises:
        DirectoryLockedError: another process holds it.
        UnusableDirectoryError: it can't be created or written, or it is full of what is not ours.
    """
    descriptor = _open_lock(directory)
    try:
        _take(directory, descriptor)
        # Over the old text, without truncating: on a full disk there may be no block for a new one.
        with contextlib.suppress(OSError):
            os.pwrite(descriptor, f"{os.getpid()}\n".ljust(_TEXT_BYTES).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder_of(directory: Path) -> int | None:
    """The pid of the daemon that runs on a directory, None when none does. Never blocks, changes nothing."""
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read_pid(descriptor)
    finally:
        os.close(descriptor)
    return None


def _open_lock(directory: Path) -> int:
    descriptor = -1
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_others(directory)
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        if os.stat(directory).st_uid == os.geteuid():
            os.chmod(directory, 0o700)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        reason = "it is not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise UnusableDirectoryError(
            f"{directory}: {reason}; choose a directory that this user may write, with --data or storage.data_directory"
        ) from error
    return descriptor


def _refuse_others(directory: Path) -> None:
    """A slip of the keyboard must not take /tmp, or a home, away from everybody else: we set its mode to 0700."""
    names = {name for name in os.listdir(directory) if not name.startswith(".")} - {_OF_THE_FILE_SYSTEM}
    if names and not names & _OURS:
        raise UnusableDirectoryError(
            f"{directory}: there are other files in it, and no data of Segue; choose a new or an empty directory, with "
            "--data or storage.data_directory"
        )


def _take(directory: Path, descriptor: int) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise UnusableDirectoryError(f"{directory}: it can't be locked: {error.strerror}") from error
            if attempt == _ATTEMPTS - 1:
                raise DirectoryLockedError(directory, _read_pid(descriptor)) from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _read_pid(descriptor: int) -> int:
    text = os.pread(descriptor, _TEXT_BYTES, 0).split(b"\n")[0]
    return int(text) if text.isdigit() else 0
