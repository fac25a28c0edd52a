"""The daemon on a disk whose syncs are slow: `python -m tests.faults.load.slow_disk serve ...`.

`SLOW_DISK_SYNC_SECONDS` is what every sync takes more. While the file that `SLOW_DISK_STALL_FILE` names exists, the
disk stands still.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from segue.broker import daemon
from segue.broker.cli import main
from segue.storage.posix import PosixDisk, PosixFile

__all__: list[str] = []

_STALL_LOOK_SECONDS = 0.05


def _wait_for_the_disk() -> None:
    time.sleep(float(os.environ.get("SLOW_DISK_SYNC_SECONDS", "0")))
    stall = os.environ.get("SLOW_DISK_STALL_FILE")
    while stall is not None and Path(stall).exists():
        time.sleep(_STALL_LOOK_SECONDS)


class SlowFile(PosixFile):
    """A file whose writes reach the disk late."""

    def begin_write(self, offset: int, data: memoryview) -> bool:
        """Begin nothing: `write_sync`, in a thread, does all of it."""
        return False

    def write_sync(self, offset: int, data: memoryview) -> None:
        _wait_for_the_disk()
        super().write_sync(offset, data)

    def sync(self) -> None:
        _wait_for_the_disk()
        super().sync()


class SlowDisk(PosixDisk):
    """A directory on such a disk."""

    def open(self, path: str) -> SlowFile:
        return SlowFile(self.root / path)

    def sync_file(self, path: str) -> None:
        _wait_for_the_disk()
        super().sync_file(path)

    def sync_directory(self, path: str) -> None:
        _wait_for_the_disk()
        super().sync_directory(path)


if __name__ == "__main__":
    # From outside there is no other way to the disk of a daemon; what is replaced is the seam that is there for it.
    vars(daemon)["PosixDisk"] = SlowDisk
    sys.exit(main())
