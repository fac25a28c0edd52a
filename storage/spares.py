"""Spare journal files: made ahead of need, so that a commit neither waits for one nor fails for want of space.

A spare is `journal/free-<n>.journal`, filled and synced. It is made under another name, so that what a crash leaves
half made is never taken for one. Whatever an old journal file held may still be in it: its LSNs are not those of its
new place. How large they are changes with what is written (pace.py), but not when the disk is nearly full: then the
reserve is of full size, while it can still be made. All of this may be called from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final, NamedTuple

from segue.storage.disk import Disk

__all__ = ["JOURNAL_DIRECTORY", "SPARES_WANTED", "Spares"]

JOURNAL_DIRECTORY: Final = "journal"
SPARES_WANTED: Final = 2
"""One for the next roll, and one in reserve so that acknowledgements can be taken on a full disk (DESIGN §3.5)."""
_KEPT_MAX: Final = 4
"""Of the files that checkpoints set free. With as few as are wanted, each roll would have a new one filled with zeros,
and each checkpoint would remove one: twice the writing, and commits of messages wait behind it."""
_SCARCE_FILES: Final = 8
"""The disk is nearly full when it has no room for so many files of full size: time enough to make two, unless something
else fills the rest within a second."""

_READY: Final = "free-"
_UNFINISHED: Final = "new-"


class _Spare(NamedTuple):
    path: str
    size: int


class Spares:
    """The spare files of a journal directory.

    Attributes:
        file_bytes: the size of those that are made from now on.
        file_bytes_max: their full size.
    """

    def __init__(self, disk: Disk, file_bytes: int, file_bytes_max: int = 0) -> None:
        """Takes up the spares that are there. What has another size, or is half made, is removed.

        Args:
            disk: the data directory.
            file_bytes: their size, for now.
            file_bytes_max: their full size, where that is another one.
        """
        self._disk = disk
        self.file_bytes = file_bytes
        self.file_bytes_max = max(file_bytes, file_bytes_max)
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._ready: deque[_Spare] = deque()
        self._number = 0
        for name in disk.list(JOURNAL_DIRECTORY):
            path = f"{JOURNAL_DIRECTORY}/{name}"
            if name.startswith(_READY) and disk.size(path) == file_bytes:
                self._ready.append(_Spare(path, file_bytes))
            elif name.startswith((_READY, _UNFINISHED)):
                disk.unlink(path)

    def __len__(self) -> int:
        return len(self._ready)

    def missing(self, wanted: int = SPARES_WANTED) -> bool:
        """True when less is ready than `wanted` files of the present size hold. Larger ones don't count: they go."""
        with self._lock:
            return self._fitting_bytes() < wanted * self.file_bytes

    def make(self, wanted: int = SPARES_WANTED) -> None:
        """Make one, unless there are `wanted` already. A second caller waits for the first.

        Raises:
            OSError: it could not be made; nothing is left of it.
        """
        with self._making:
            if self.missing(wanted):
                size = self.file_bytes
                path = self._create(size)
                ready = path.replace(_UNFINISHED, _READY)
                self._disk.rename(path, ready)
                self._disk.sync_directory(JOURNAL_DIRECTORY)
                with self._lock:
                    self._ready.append(_Spare(ready, size))

    def resize(self, file_bytes: int) -> None:
        """Files are to have this size from now on. What is larger is removed once there are enough that are not.

        Raises:
            OSError: not all of them are removed; another call goes on.
        """
        self.file_bytes = self.file_bytes_max if self._is_scarce() else file_bytes
        while (spare := self._take_larger()) is not None:
            self._disk.unlink(spare.path)

    def place(self, path: str, size: int) -> None:
        """Put a file of at least `size` bytes at `path`, a spare where there is one; durable on return.

        Raises:
            OSError: there is none, and none could be made.
        """
        self._disk.rename(self._take(size) or self._make_for(size), path)
        # The name has to be durable before anything in the file is.
        self._disk.sync_directory(JOURNAL_DIRECTORY)

    def keep(self, path: str, size: int) -> None:
        """A journal file is not needed any more: it becomes a spare, or is removed. Not yet durable on return."""
        with self._lock:
            if size == self.file_bytes and len(self._ready) < _KEPT_MAX:
                ready = self._name(_READY)
                self._disk.rename(path, ready)
                self._ready.append(_Spare(ready, size))
            else:
                self._disk.unlink(path)

    def give_up(self) -> bool:
        """Remove a spare, but never the last one, to make room on a full disk. True when there is room now."""
        with self._lock:
            spare = self._ready.popleft() if len(self._ready) > 1 else None
        if spare is not None:
            self._disk.unlink(spare.path)
        return spare is not None

    def _is_scarce(self) -> bool:
        try:
            return self._disk.free_bytes() < _SCARCE_FILES * self.file_bytes_max
        except OSError:
            return True  # a file system that does not tell: better too much in reserve

    def _fitting_bytes(self) -> int:
        return sum(spare.size for spare in self._ready if spare.size <= self.file_bytes)

    def _take(self, size: int) -> str | None:
        """The first that holds so much."""
        with self._lock:
            spare = next((spare for spare in self._ready if spare.size >= size), None)
            if spare is not None:
                self._ready.remove(spare)
        return None if spare is None else spare.path

    def _take_larger(self) -> _Spare | None:
        """One that is too large, if there are enough of the others."""
        with self._lock:
            larger = next((spare for spare in self._ready if spare.size > self.file_bytes), None)
            if larger is None or self._fitting_bytes() < SPARES_WANTED * self.file_bytes:
                return None
            self._ready.remove(larger)
            return larger

    def _make_for(self, size: int) -> str:
        with self._making:
            # Somebody else may have made one while this waited for its turn.
            return self._take(size) or self._create(max(size, self.file_bytes))

    def _create(self, size: int) -> str:
        with self._lock:
            path = self._name(_UNFINISHED)
        # A larger one is for one batch, which fills it at once, while others wait for both.
        self._disk.create(path, size, filled=size <= self.file_bytes).close()
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
