"""The daemon on a disk that breaks: `python -m tests.faults.broken_disk serve ...`.

The file that `BROKEN_DISK_FILE` names says what is broken, and may be written at any time: `read PATH` (part of the
path of a segment that can't be read), or `write` (the journal can't be written). While it is empty or missing, all is
well.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from segue.broker import daemon
from segue.broker.cli import main
from segue.storage.api import Disk
from segue.storage.disk import Database
from segue.storage.posix import PosixDisk, PosixFile

__all__: list[str] = []


def _fail_if_broken(call: str, path: str) -> None:
    state = Path(os.environ["BROKEN_DISK_FILE"])
    what, _, part = state.read_text().strip().partition(" ") if state.exists() else ("", "", "")
    if what == call and part in path:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)


class BrokenFile(PosixFile):
    """A journal file."""

    def begin_write(self, offset: int, data: memoryview) -> bool:
        """Begin nothing: `write_sync`, in a thread, does all of it."""
        return False

    def write_sync(self, offset: int, data: memoryview) -> None:
        _fail_if_broken("write", "")
        super().write_sync(offset, data)


class BrokenDisk(PosixDisk):
    """A directory on such a disk."""

    def open(self, path: str) -> BrokenFile:
        return BrokenFile(self.root / path)

    async def open_database(self, path: str, *, mode: str) -> Database:
        if mode == "read":
            _fail_if_broken("read", path)
        return await super().open_database(path, mode=mode)


if __name__ == "__main__":
    # From outside there is no other way to the disk of a daemon; what is replaced is the seam that is there for it.
    disk: type[Disk] = BrokenDisk
    vars(daemon)["PosixDisk"] = disk
    sys.exit(main())
