"""Spare journal files: made ahead of need, so that a commit neither waits for one nor fails for want of space.

A spare is `journal/free-<n>.journal`, filled and synced. It is made under another name, so that what a crash leaves
half made is never taken for one. Whatever an old journal file held may still be in it: its LSNs are not those of its
new place. All of this may be called from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from segue.storage.disk import Disk

__all__ = ["JOURNAL_DIRECTORY", "SPARES_WANTED", "Spares"]

JOURNAL_DIRECTORY: Final = "journal"
SPARES_WANTED: Final = 2
"""One for the next roll, and one in reserve so that acknowledgements can be taken on a full disk (DESIGN §3.5)."""
_KEPT_MAX: Final = 4
"""Of the files that checkpoints set free. With as few as are wanted, each roll would have a new one filled with zeros,
and each checkpoint would remove one: twice the writing, and commits of messages wait behind it."""

_READY: Final = "free-"
_UNFINISHED: Final = "new-"


class Spares:
    """The spare files of a journal directory.

    Attributes:
        file_bytes: the size of each.
    """

    def __init__(self, disk: Disk, file_bytes: int) -> None:
        """Takes up the spares that are there. What has another size, or is half made, is removed."""
        self._disk = disk
        self.file_bytes = file_bytes
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._ready: deque[str] = deque()
        self._number = 0
        for name in disk.list(JOURNAL_DIRECTORY):
            path = f"{JOURNAL_DIRECTORY}/{name}"
            if name.startswith(_READY) and disk.size(path) == file_bytes:
                self._ready.append(path)
            elif name.startswith((_READY, _UNFINISHED)):
                disk.unlink(path)

    def __len__(self) -> int:
        return len(self._ready)

    def make(self, wanted: int = SPARES_WANTED) -> None:
        """Make one, unless there are `wanted` already. A second caller waits for the first.

        Raises:
            OSError: it could not be made; nothing is left of it.
        """
        with self._making:
            if len(self._ready) < wanted:
                path = self._create(self.file_bytes)
                ready = path.replace(_UNFINISHED, _READY)
                self._disk.rename(path, ready)
                self._disk.sync_directory(JOURNAL_DIRECTORY)
                with self._lock:
                    self._ready.append(ready)

    def place(self, path: str, size: int) -> None:
        """Put a file of at least `size` bytes at `path`, a spare where there is one; durable on return.

        Raises:
            OSError: there is none, and none could be made.
        """
        if size > self.file_bytes:
            self._disk.rename(self._create(size), path)
        else:
            while (spare := self._take(least=1)) is None:
                self.make(wanted=1)
            self._disk.rename(spare, path)
        # The name has to be durable before anything in the file is.
        self._disk.sync_directory(JOURNAL_DIRECTORY)

    def keep(self, path: str, size: int) -> None:
        """A journal file is not needed any more: it becomes a spare, or is removed. Not yet durable on return."""
        with self._lock:
            if size == self.file_bytes and len(self._ready) < _KEPT_MAX:
                ready = self._name(_READY)
                self._disk.rename(path, ready)
                self._ready.append(ready)
            else:
                self._disk.unlink(path)

    def give_up(self) -> bool:
        """Remove a spare, but never the last one, to make room on a full disk. True when there is room now."""
        spare = self._take(least=2)
        if spare is not None:
            self._disk.unlink(spare)
        return spare is not None

    def _take(self, *, least: int) -> str | None:
        with self._lock:
            return self._ready.popleft() if len(self._ready) >= least else None

    def _create(self, size: int) -> str:
        with self._lock:
            path = self._name(_UNFINISHED)
        self._disk.create(path, size).close()
        return path

    def _name(self, prefix: str) -> str:
        while True:
            self._number += 1
            # Both names of a number belong to one file.
            path, other = (f"{JOURNAL_DIRECTORY}/{p}{self._number}.journal" for p in (prefix, _other(prefix)))
            if self._disk.size(path) < 0 and self._disk.size(other) < 0:
                return path


def _other(prefix: str) -> str:
    return _READY if prefix == _UNFINISHED else _UNFINISHED
