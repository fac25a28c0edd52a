"""The catalog's write-ahead log, read without SQLite: checked frame by frame, and brought into a copy of the file.

SQLite takes the frames up to the last commit whose checksums are right, and says nothing of what follows. Behind a
crash that is the torn end of a commit that nobody was told of; but a flipped bit in the middle makes it forget commits
that were durable. Here the two are told apart: a later commit that is whole was written after the damaged one had been
synced.

The layout is that of https://www.sqlite.org/fileformat.html, section 4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

__all__ = ["Wal", "read_wal"]

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC_LITTLE: Final = 0x377F0682
_MAGIC_BIG: Final = 0x377F0683
_MASK: Final = 0xFFFF_FFFF


@dataclass(slots=True)
class Wal:
    """What a write-ahead log holds.

    Attributes:
        pages: page number → content, of all commits that are whole.
        pages_in_file: size of the database after the last of them, in pages; 0 when there is none.
        page_size: of the database; 0 when the log is empty.
        damaged_at: offset of the first frame that is damaged although later commits are whole; -1 for none.
        torn_at: offset of what a crash has cut short; -1 for nothing.
    """

    pages: dict[int, bytes] = field(default_factory=dict)
    pages_in_file: int = 0
    page_size: int = 0
    damaged_at: int = -1
    torn_at: int = -1

    def apply(self, database: BinaryIO) -> None:
        """Bring a copy of the database to the state of the last commit."""
        if self.pages_in_file:
            for number, content in self.pages.items():
                database.seek((number - 1) * self.page_size)
                database.write(content)
            database.truncate(self.pages_in_file * self.page_size)


def read_wal(data: bytes) -> Wal:
    """Read a write-ahead log. An empty one, or one that is reset, has no pages."""
    wal = Wal()
    if len(data) < _HEADER.size:
        return wal
    magic, _, page_size, _, salt1, salt2, *stored = _HEADER.unpack_from(data)
    if magic not in (_MAGIC_LITTLE, _MAGIC_BIG):
        wal.damaged_at = 0 if any(data) else -1
        return wal
    order = "<" if magic == _MAGIC_LITTLE else ">"
    sums = _checksum(data[:24], (0, 0), order)
    if sums != tuple(stored) or page_size < 512 or page_size > 65536 or page_size & (page_size - 1):
        wal.damaged_at = 0
        return wal
    wal.page_size = page_size
    _read_frames(data, wal, (salt1, salt2), sums, order)
    return wal


def _read_frames(data: bytes, wal: Wal, salts: tuple[int, int], sums: tuple[int, int], order: str) -> None:
    frame_size = _FRAME.size + wal.page_size
    gathered: dict[int, bytes] = {}
    broken_at = -1
    # Whole commits behind a broken frame that prove that it was synced. Its own commit proves nothing: a crash may
    # bring the frames of one transaction to disk in any order.
    proof_wanted = 0
    for at in range(_HEADER.size, len(data) - frame_size + 1, frame_size):
        number, in_file, salt1, salt2, *stored = _FRAME.unpack_from(data, at)
        body = data[at + _FRAME.size : at + frame_size]
        found = _checksum(body, _checksum(data[at : at + 8], sums, order), order)
        # The next frame goes on from the stored sum, so that one that is whole is known behind one that is not.
        sums = stored[0], stored[1]
        if found != sums or (salt1, salt2) != salts:
            if not proof_wanted:
                broken_at = at
                proof_wanted = 1 if in_file else 2
            continue
        if broken_at < 0:
            gathered[number] = body
            if in_file:
                wal.pages |= gathered
                wal.pages_in_file = in_file
                gathered = {}
        elif in_file:
            proof_wanted -= 1
            if proof_wanted == 0:
                wal.damaged_at = broken_at
                return
    if broken_at >= 0 and _FRAME.unpack_from(data, broken_at)[2:4] == salts:
        wal.torn_at = broken_at


def _checksum(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        first = (first + words[index] + second) & _MASK
        second = (second + words[index + 1] + first) & _MASK
    return first, second
