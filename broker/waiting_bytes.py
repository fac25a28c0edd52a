"""The bytes of the messages that wait in one queue, without a look at each of them.

Theory of operation. What was never delivered is kept as a row of pieces (first, last, bytes): one for each 64 messages
of a batch when it is sealed, and one for each file or block on disk when the count begins. The cursor's place says
which pieces are passed; so nothing is done when a message is delivered or settled, and nothing can drift. When there
are too many pieces, two neighbours become one.

Of the piece that the cursor stands in, the rest is counted record by record while it is in memory, and shared out
evenly among its messages when it is on disk. So the sum is exact as long as a queue lives in memory, and otherwise out
by less than one piece: 64 messages, or a two-thousandth of the queue; after a start, or when an old queue gets its
bound, one segment file. It is exact again when that is passed.

Messages that a job has moved away from the middle are shared out likewise. What was returned is counted record by
record as well, up to a number, and else with the mean size.

In memory: all of it. Invariant: `_sum` is the sum of the pieces' bytes; they rise and don't overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from segue.storage.api import CONDEMNED, Cursor, Log

__all__ = ["WaitingBytes"]

_PIECE_MESSAGES: Final = 64
_PIECES_MAX: Final = 4096
"""Some 300 KiB for a queue of any depth."""
_COUNTED_MAX: Final = 256
"""Most records that are looked at to know a sum: some 20 microseconds."""


class _Piece(NamedTuple):
    first: int
    last: int
    size: int

    @property
    def messages(self) -> int:
        return self.last - self.first + 1


class WaitingBytes:
    """See the module. The bytes are those of records: headers, body, and some 40 for each message.

    Attributes:
        open_bytes: of messages that are in the open batch, as far as the queue has noted them; kept by the queue.
    """

    __slots__ = ("_cursor", "_log", "_mean", "_pieces", "_sum", "open_bytes")

    def __init__(self, log: Log, cursor: Cursor) -> None:
        self._log = log
        self._cursor = cursor
        self._pieces: deque[_Piece] = deque()
        self._sum = 0
        self._mean = 0
        self.open_bytes = 0
        for piece in (*_on_disk(log), *_in_memory(log)):
            self._add(piece)
        log.on_sealed = self._sealed

    def close(self) -> None:
        """Nobody asks any more."""
        self._log.on_sealed = None

    def total(self) -> int:
        """Bytes of what could be delivered, and of what was handed to the journal."""
        self._catch_up()
        return self._unread() + self._returned()

    def oldest(self, size: int) -> int:
        """How many messages from the oldest on have so many bytes together, or a little more; at least 1."""
        returned = len(self._cursor.returned) - len(self._cursor.condemned)
        if returned:
            return 1  # they go one by one: each has to be taken out of its place
        self._catch_up()
        messages = 0
        for piece in self._pieces:
            if size <= 0:
                break
            messages += piece.messages if piece.size <= size else self._of_piece(piece, size)
            size -= piece.size
        return max(1, messages)

    # -- inside

    def _sealed(self, first: int, records: list[bytes]) -> None:
        self.open_bytes = 0
        for piece in _pieces_of(first, records):
            self._add(piece)

    def _add(self, piece: _Piece) -> None:
        self._pieces.append(piece)
        self._sum += piece.size
        self._mean = piece.size // piece.messages
        if len(self._pieces) > _PIECES_MAX:
            self._join_pairs()

    def _join_pairs(self) -> None:
        rest = iter(self._pieces)
        joined: deque[_Piece] = deque()
        for one in rest:
            other = next(rest, None)
            joined.append(one if other is None else _Piece(one.first, other.last, one.size + other.size))
        self._pieces = joined

    def _catch_up(self) -> None:
        """Let go of what the cursor has passed."""
        pieces, next_seq = self._pieces, self._cursor.next
        while pieces and pieces[0].last < next_seq:
            self._sum -= pieces.popleft().size
        if pieces and pieces[0].first < next_seq:
            piece = pieces[0]
            pieces[0] = rest = _Piece(next_seq, piece.last, self._rest_of(piece, next_seq))
            self._sum += rest.size - piece.size

    def _unread(self) -> int:
        gaps, pieces = self._cursor.gaps, self._pieces
        if gaps is None or not pieces:
            return self._sum
        # How large those were that a job has moved away from the middle nobody has looked.
        return self._sum - self._sum * gaps.messages // (pieces[-1].last - pieces[0].first + 1)

    def _rest_of(self, piece: _Piece, seq: int) -> int:
        sizes = self._sizes(seq, piece.last)
        if sizes is not None:
            return sum(sizes)
        return piece.size * (piece.last - seq + 1) // piece.messages

    def _of_piece(self, piece: _Piece, size: int) -> int:
        """How many of its first messages have so many bytes."""
        for messages, one in enumerate(self._sizes(piece.first, piece.last) or (), 1):
            size -= one
            if size <= 0:
                return messages
        return min(piece.messages, -(-size * piece.messages // piece.size))

    def _sizes(self, first: int, last: int) -> list[int] | None:
        """The sizes of some records; None when one of them is not in memory, or they are too many."""
        if last - first >= _COUNTED_MAX:
            return None
        records = [self._log.find(seq) for seq in range(first, last + 1)]
        return None if None in records else [len(record) for record in records if record is not None]

    def _returned(self) -> int:
        cursor = self._cursor
        count = len(cursor.returned) - len(cursor.condemned)
        if not count or count > _COUNTED_MAX:
            return count * self._mean
        records = [self._log.find(seq) for seq, standing in cursor.returned.items() if standing < CONDEMNED]
        return sum(self._mean if record is None else len(record) for record in records)


def _on_disk(log: Log) -> Iterator[_Piece]:
    for extent in log.extents:
        yield _Piece(extent.first, extent.last, extent.bytes)


def _in_memory(log: Log) -> Iterator[_Piece]:
    for records in (log.spilling or {}, log.hot):
        rest = iter(records.items())
        while part := list(islice(rest, _PIECE_MESSAGES)):
            yield _Piece(part[0][0], part[-1][0], sum(len(record) for _, record in part))


def _pieces_of(first: int, records: list[bytes]) -> Iterable[_Piece]:
    for at in range(0, len(records), _PIECE_MESSAGES):
        part = records[at : at + _PIECE_MESSAGES]
        yield _Piece(first + at, first + at + len(part) - 1, sum(map(len, part)))
