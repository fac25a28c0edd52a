"""The one port of the storage core: what the broker's model may use of it."""

from __future__ import annotations

from segue.storage.cursor import Cursor
from segue.storage.disk import Disk
from segue.storage.errors import (
    DamagedStoreError,
    DirectoryLockedError,
    DiskFailureError,
    NewerFormatError,
    StorageError,
    UnusableDirectoryError,
)
from segue.storage.extents import READ_ERRORS
from segue.storage.lock import holder_of, lock_directory
from segue.storage.log import Log
from segue.storage.posix import PosixDisk
from segue.storage.record import (
    HEADERS_AT,
    PERSISTENT,
    Encoding,
    Record,
    decode,
    deliveries_of,
    encode,
    encode_pieces,
    headers_end,
    prefix,
    times,
    with_deliveries,
)
from segue.storage.standing import CONDEMNED
from segue.storage.store import Store, StoreOptions, open_store

__all__ = [
    "CONDEMNED",
    "HEADERS_AT",
    "PERSISTENT",
    "READ_ERRORS",
    "Cursor",
    "DamagedStoreError",
    "DirectoryLockedError",
    "Disk",
    "DiskFailureError",
    "Encoding",
    "Log",
    "NewerFormatError",
    "PosixDisk",
    "Record",
    "StorageError",
    "Store",
    "StoreOptions",
    "UnusableDirectoryError",
    "decode",
    "deliveries_of",
    "encode",
    "encode_pieces",
    "headers_end",
    "holder_of",
    "lock_directory",
    "open_store",
    "prefix",
    "times",
    "with_deliveries",
]
