"""Rows of a SQLite file without SQLite: leaf pages are read one by one, so a damaged one costs only its own rows.

SQLite finds rows by way of the pages above them; where one of these is damaged, all that is below is lost to it. Here
pages are looked at one by one, whatever leads to them. A caller has to know by a row's own checksum that it is one of
its rows, and not an old one that a freed page still holds.

The layout is that of https://www.sqlite.org/fileformat.html, sections 1.3 (header), 1.5 (freelist), 1.6 (pages) and 2.1
(records).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["SQLITE_MAGIC", "RawRow", "raw_rows", "raw_rows_of", "read_patiently"]

SQLITE_MAGIC: Final = b"SQLite format 3\0"

_HEADER_BYTES: Final = 100
_INTERIOR_INDEX: Final = 0x02
_LEAF_INDEX: Final = 0x0A
_LEAF_TABLE: Final = 0x0D
_PAGE_HEADS: Final = {_INTERIOR_INDEX: 12, _LEAF_INDEX: 8, _LEAF_TABLE: 8}
_PAGE_SIZES: Final = (16384, 4096, 512, 1024, 2048, 8192, 32768, 65536)
_READ_BYTES: Final = 4096
_FREELIST_MAX: Final = 1 << 20
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Value = int | bytes | str | None


class RawRow(NamedTuple):
    """A row: its rowid (None in a table without), and its columns."""

    rowid: int | None
    columns: tuple[Value, ...]


class _NoRow(Exception):
    """These bytes are no row, or not one that can be read."""


def raw_rows_of(path: Path) -> Iterator[RawRow]:
    """As `raw_rows`, of a file. Where its header does not say a possible size of pages, that with most rows is it."""
    data = read_patiently(path)
    if len(data) < _HEADER_BYTES:
        return
    size = _page_size_of(data)
    if not size:
        size = max(_PAGE_SIZES, key=lambda guess: sum(1 for _ in raw_rows(data, guess)))
    yield from raw_rows(data, size)


def read_patiently(path: Path) -> bytes:
    """A whole file; zeros where the disk does not give it. Mapped into memory, such a place would be a signal."""
    parts = []
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for offset in range(0, size, _READ_BYTES):
            wanted = min(_READ_BYTES, size - offset)
            try:
                parts.append(os.pread(file.fileno(), wanted, offset).ljust(wanted, b"\0"))
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                parts.append(bytes(wanted))
    return b"".join(parts)


def raw_rows(data: bytes, page_size: int) -> Iterator[RawRow]:
    """Every row that stands in a leaf page (or, without rowids, in an inner one) and is not in a freed page.

    Args:
        data: the whole file.
        page_size: of the file.
    """
    free = _free_pages(data, page_size)
    for number in range(1, len(data) // page_size + 1):
        if number not in free:
            yield from _rows_of_page(data, page_size, number)


def _page_size_of(data: bytes) -> int:
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size >= 512 and size & (size - 1) == 0 else 0


def _rows_of_page(data: bytes, page_size: int, number: int) -> Iterator[RawRow]:
    start = (number - 1) * page_size
    head = start + (_HEADER_BYTES if number == 1 else 0)
    kind = data[head]
    if kind not in _PAGE_HEADS:
        return
    count = int.from_bytes(data[head + 3 : head + 5], "big")
    pointers = head + _PAGE_HEADS[kind]
    for index in range(min(count, (page_size - 8) // 2)):
        at = int.from_bytes(data[pointers + 2 * index : pointers + 2 * index + 2], "big")
        try:
            if not pointers - start < at < page_size:
                raise _NoRow
            yield _row(data, page_size, start, start + at, kind)
        except (_NoRow, IndexError, UnicodeDecodeError):
            continue


def _row(data: bytes, page_size: int, start: int, at: int, kind: int) -> RawRow:
    if kind == _INTERIOR_INDEX:
        at += 4
    size, at = _varint(data, at)
    rowid = None
    if kind == _LEAF_TABLE:
        rowid, at = _varint(data, at)
        if rowid >= 1 << 63:
            rowid -= 1 << 64
    return RawRow(rowid, _columns(_payload(data, page_size, start, at, size, kind)))


def _payload(data: bytes, page_size: int, start: int, at: int, size: int, kind: int) -> bytes:
    """The bytes of a record, those in overflow pages included."""
    usable = page_size  # nothing is reserved at the end of pages
    most = usable - 35 if kind == _LEAF_TABLE else (usable - 12) * 64 // 255 - 23
    if size <= most:
        local = size
    else:
        least = (usable - 12) * 32 // 255 - 23
        local = least + (size - least) % (usable - 4)
        local = local if local <= most else least
    if size > len(data) or at + local > start + page_size:
        raise _NoRow
    parts = [data[at : at + local]]
    left = size - local
    following = int.from_bytes(data[at + local : at + local + 4], "big") if left else 0
    while left > 0:
        place = (following - 1) * page_size
        if following < 2 or place + page_size > len(data):
            raise _NoRow
        parts.append(data[place + 4 : place + 4 + min(left, usable - 4)])
        left -= usable - 4
        following = int.from_bytes(data[place : place + 4], "big")
    return b"".join(parts)


def _columns(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise _NoRow
    types = []
    while at < end:
        kind, at = _varint(payload, at)
        types.append(kind)
    columns = []
    at = end
    for kind in types:
        value, at = _value(payload, at, kind)
        columns.append(value)
    if at != len(payload):
        raise _NoRow
    return tuple(columns)


def _value(payload: bytes, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind < 12:
        raise _NoRow  # floating-point numbers and reserved types: no table of ours has them
    end = at + (kind - 12) // 2
    if end > len(payload):
        raise _NoRow
    return (payload[at:end] if kind % 2 == 0 else payload[at:end].decode()), end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _free_pages(data: bytes, page_size: int) -> set[int]:
    """Pages of the freelist: what stands in them was deleted."""
    free: set[int] = set()
    trunk = int.from_bytes(data[32:36], "big")
    while trunk and trunk not in free and len(free) < _FREELIST_MAX:
        place = (trunk - 1) * page_size
        if place + page_size > len(data):
            break
        free.add(trunk)
        count = min(int.from_bytes(data[place + 4 : place + 8], "big"), page_size // 4 - 2)
        free.update(
            int.from_bytes(data[place + 8 + 4 * index : place + 12 + 4 * index], "big") for index in range(count)
        )
        trunk = int.from_bytes(data[place : place + 4], "big")
    return free
