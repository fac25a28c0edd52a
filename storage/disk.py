"""The seam between the storage core and the disk: every access to a file passes through a `Disk`.

The core never calls `os` or `sqlite3` itself. That leaves one small place to replace: fault tests put a disk here
that crashes, tears writes, forgets what was not synced, flips bits and fills up; a distributed store could go in
at the same place (DESIGN §6).

Paths are relative to the data directory and use `/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

__all__ = ["Database", "Disk", "File", "Row", "Statement"]

Row = tuple[Any, ...]
"""One row of a result, columns in the order of the statement."""
Statement = tuple[str, Iterable[Sequence[Any]]]
"""An INSERT, UPDATE or DELETE, and the values of each time that it is run with."""


class File(Protocol):
    """An open file of known size with positioned, synchronous writes."""

    size: int

    def write_sync(self, offset: int, data: memoryview) -> None:
        """Write all of `data` at `offset`; on return it is durable.

        `data` starts at a page boundary and both its length and `offset` are multiples of 4096.
        Short writes and EINTR are made good here.

        Raises:
            OSError: the write or the sync failed; how much is on disk is not known.
        """

    def begin_write(self, offset: int, data: memoryview) -> bool:
        """As `write_sync`, but do not wait. For small writes on the event loop; one at a time.

        Returns:
            True when it is under way: `data` stays as it is until `write_done` or `finish_write` has seen its end.
            False where this can't be done: nothing was begun.
        """

    def write_done(self, seconds: float) -> bool:
        """Wait a moment for the write that was begun. True when it is durable, else `finish_write` comes next."""

    def finish_write(self) -> None:
        """Wait for the write that `write_done` did not see the end of. Blocks; raises as `write_sync`."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset`; fewer only at the end of the file."""

    def sync(self) -> None:
        """Make durable what is in the file, whoever wrote it."""

    def close(self) -> None:
        """Close; calling it again does nothing."""


class Database(Protocol):
    """One SQLite file. Every call is made for a batch, never for a message.

    It costs about 0.1 ms, and takes some steps of the event loop, 5 to 30 ms under load.

    Each raises OSError where the disk is at fault (ENOSPC, EIO), and DatabaseDamagedError where the file is.
    """

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""

    async def execute_many(self, statements: Iterable[Statement]) -> list[int]:
        """Run each statement for each of its values. What is lazy is consumed in the database's own thread.

        It begins a transaction where none is open. When one fails, what those before it have done is part of that, and
        a rollback takes it back.

        Returns:
            For each statement, how many rows of the table were inserted, changed or deleted.
        """

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of a query."""

    async def commit(self) -> None:
        """Commit; on return the transaction is durable (synchronous=FULL).

        Raises:
            OSError: with ENOSPC nothing was committed; with any other number that is not known.
        """

    async def rollback(self) -> None:
        """Give up the open transaction, if there is one."""

    async def close(self) -> None:
        """Close the file and end its thread."""


class Disk(Protocol):
    """A data directory."""

    def check_access(self) -> None:
        """See to it that files can be read and written here, without writing any.

        Raises:
            OSError: they can't; its `filename` says which folder or file is in the way.
        """

    def create(self, path: str, size: int, *, filled: bool = True) -> File:
        """A new file of `size` zero bytes, its blocks really allocated, and synced (the directory is not).

        Args:
            path: below the data directory.
            size: in bytes.
            filled: the zeros are written, which takes long and makes many small writes quick; not worth it for a file
                that is written all at once.

        Raises:
            FileExistsError: there is one.
            OSError: ENOSPC and the like; nothing is left behind.
        """

    def open(self, path: str) -> File:
        """An existing file, for reading and writing."""

    def read_head(self, path: str, size: int) -> bytes:
        """The first `size` bytes of a file, fewer when it is shorter."""

    def rename(self, old: str, new: str) -> None:
        """Rename; durable after `sync_directory` of the folder."""

    def unlink(self, path: str) -> None:
        """Remove a file; durable after `sync_directory`. A missing file is no error."""

    def sync_file(self, path: str) -> None:
        """Make the content of a file durable that another writer (SQLite) has written and closed."""

    def sync_directory(self, path: str) -> None:
        """Make creations, renames and removals in a folder durable."""

    def list(self, path: str) -> list[str]:
        """Names in a folder, sorted; empty if there is no such folder."""

    def make_directory(self, path: str) -> None:
        """Create a folder (mode 0700) and its parents, durably. An existing one is no error."""

    def remove_directory(self, path: str) -> None:
        """Remove an empty folder; a missing or a filled one is no error."""

    def size(self, path: str) -> int:
        """Bytes in a file, -1 when there is none."""

    def free_bytes(self) -> int:
        """Bytes that an unprivileged process may still write."""

    async def open_database(self, path: str, *, mode: str) -> Database:
        """Open a SQLite file.

        Args:
            path: below the data directory.
            mode: `catalog`: read and write, WAL, synchronous=FULL, locking_mode=EXCLUSIVE, made when missing;
                `build`: a new segment, journal_mode=OFF and no syncs (the caller syncs the file);
                `read`: immutable.

        Raises:
            OSError, DatabaseDamagedError: as any call of a `Database`; FileNotFoundError when there is none to read.
        """
