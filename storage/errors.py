"""The errors of the storage core: what went wrong with which file, and what the caller may still do.

One root, `StorageError`. Each class has a stable `code` for logs and scripts. None of their texts reaches a
peer of the network: a front-end chooses its own words (STYLE 16).
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "DamagedStoreError",
    "DatabaseDamagedError",
    "DirectoryLockedError",
    "DiskFailureError",
    "NewerFormatError",
    "RecordDamagedError",
    "StorageError",
    "UnusableDirectoryError",
]


class StorageError(Exception):
    """Root of what the storage core raises."""

    code = "storage"


class DirectoryLockedError(StorageError):
    """Another process holds the data directory.

    Attributes:
        pid: the process that holds it, 0 when it did not say.
    """

    code = "directory-locked"

    def __init__(self, directory: Path, pid: int) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{directory}: {holder} uses this data directory; stop it, or give another directory with --data"
        )
        self.pid = pid


class UnusableDirectoryError(StorageError):
    """The data directory can't be created, read or written (wrong owner, read-only mount)."""

    code = "directory-unusable"


class NewerFormatError(StorageError):
    """A file was written by a newer Segue. Nothing has been changed."""

    code = "newer-format"

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path}: format version {found}, this Segue knows versions up to {known}; "
            "start the Segue that wrote it, nothing was changed"
        )


class DamagedStoreError(StorageError):
    """Bytes on disk contradict each other; going on could lose confirmed messages in silence.

    Attributes:
        path: the damaged or missing file.
        offset: first damaged byte in it, -1 when the whole file is meant.
        size: number of bytes in doubt, -1 when unknown.
    """

    code = "damaged-store"

    def __init__(self, path: Path, offset: int, size: int, what: str) -> None:
        where = f"{path}" if offset < 0 else f"{path}: offset {offset}, {size} bytes"
        super().__init__(f"{where}: {what}; see 'segue storage check' and 'segue storage salvage'")
        self.path, self.offset, self.size = path, offset, size


class RecordDamagedError(StorageError):
    """One record or block fails its checksum; its neighbours may be sound."""

    code = "record-damaged"


class DatabaseDamagedError(StorageError):
    """A SQLite file is none, or contradicts itself. Reading it again is of no use."""

    code = "database-damaged"


class DiskFailureError(StorageError):
    """A write or sync failed, of the journal or of a catalog commit, and what is on disk is not known.

    Nothing may be assumed after that: the process has to end, and the next one reads what is there.
    """

    code = "disk-failure"
