"""A body that comes in more than one read: gathered, and when it is large, handed on in the pieces that it came in.

To copy 16 MiB, or to sum them, takes the event loop several milliseconds each time, in which nobody else is served. So
a large body is never put together here, and its checksum grows with each read; it is copied once, into its record.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import crc32

__all__ = ["LARGE_BODY_BYTES", "LargeBody", "UnfinishedBody"]

LARGE_BODY_BYTES: Final = 1 << 20
"""From here on it takes more than half a millisecond to copy and sum a body: as much as the rest of a read."""
_PIECE_BYTES: Final = 64 << 10
"""Smaller reads are joined up to this: a list of single octets would take sixty times their size."""


class LargeBody(NamedTuple):
    """A body that is complete.

    Attributes:
        pieces: its octets, one piece behind the other.
        size: how many.
        crc: the CRC-32 over them.
    """

    pieces: list[bytes]
    size: int
    crc: int


class UnfinishedBody:
    """The start of a body."""

    __slots__ = ("_crc", "_pieces", "_pieces_size", "_summed", "_tail")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._pieces_size = 0
        self._crc = 0  # over the first `_summed` pieces
        self._summed = 0
        self._tail = bytearray()

    def __len__(self) -> int:
        return self._pieces_size + len(self._tail)

    def add(self, data: bytes) -> None:
        """The next octets of it."""
        if len(data) >= _PIECE_BYTES:
            self._end_tail()
            self._append(data)
        else:
            self._tail += data
            if len(self._tail) >= _PIECE_BYTES:
                self._end_tail()

    def take(self) -> bytes:
        """All of it as one; the next octets are those of another body."""
        if self._pieces:
            self._end_tail()
            whole = b"".join(self._pieces)
            self._forget_pieces()
            return whole
        tail, self._tail = self._tail, bytearray()
        return bytes(tail)

    def take_in_pieces(self) -> LargeBody:
        """As `take`, as it came."""
        self._end_tail()
        self._sum()
        large = LargeBody(self._pieces, self._pieces_size, self._crc)
        self._forget_pieces()
        return large

    def _forget_pieces(self) -> None:
        self._pieces = []
        self._pieces_size = self._crc = self._summed = 0

    def _end_tail(self) -> None:
        if self._tail:
            self._append(bytes(self._tail))
            self._tail = bytearray()

    def _append(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._pieces_size += len(piece)
        if self._pieces_size >= LARGE_BODY_BYTES:
            self._sum()

    def _sum(self) -> None:
        for piece in self._pieces[self._summed :]:
            self._crc = crc32(piece, self._crc)
        self._summed = len(self._pieces)
