"""Everything on disk that holds messages of a log, and the messages themselves in one rising stream.

A message may stand in more than one place: in a segment that the catalog names, in one that a checkpoint left behind,
in a loose block, in the journal. Copies are equal, so the first sound one is taken.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from segue.storage.block import PackedBlock, unpack_block
from segue.storage.catalog import CATALOG
from segue.storage.errors import NewerFormatError, RecordDamagedError
from segue.storage.record import split, verify
from segue.storage.tools.finding import Finding, FindingKind
from segue.storage.tools.segment_image import SegmentImage
from segue.storage.tools.state import JournalRun

__all__ = ["Message", "Piece", "block_piece", "journal_piece", "merged", "segment_piece"]

Message = tuple[int, bytes]
"""Sequence number and record."""
Tell = Callable[[Finding], None]

_NAMED: Final = 0
_JOURNALED: Final = 1
_STRAY: Final = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A place with messages of one log from `first` to `last`; not all of them need be there.

    Attributes:
        rank: of two copies the one from the lower rank is taken.
        read: opens it, and yields its sound messages, rising.
    """

    first: int
    last: int
    rank: int
    read: Callable[[], Iterator[Message]]


def segment_piece(
    root: Path, path: str, log_id: int, first: int, last: int, salt: int, tell: Tell, *, is_named: bool
) -> Piece:
    """A segment file. What is wrong with it is told when it has been read."""

    def read() -> Iterator[Message]:
        image = SegmentImage(root / path, log_id, salt)
        try:
            for block in image.blocks():
                yield from _messages(path, log_id, block, tell)
        except (OSError, NewerFormatError) as error:
            image.problems.append(getattr(error, "strerror", None) or str(error))
        for problem in image.problems:
            tell(Finding(FindingKind.SEGMENT, path, problem, log=log_id))

    return Piece(first, last, _NAMED if is_named else _STRAY, read)


def block_piece(log_id: int, block: PackedBlock, tell: Tell) -> Piece:
    """A loose block of the catalog."""
    return Piece(block.first, block.last, _NAMED, lambda: _messages(CATALOG, log_id, block, tell))


def journal_piece(root: Path, log_id: int, run: JournalRun, tell: Tell) -> Piece:
    """Records in the journal. Their batch was whole when the journal was walked."""

    def read() -> Iterator[Message]:
        with open(root / run.path, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), run.size, run.offset)
        seq = run.first
        try:
            for record in split(data, run.messages):
                if verify(record):
                    yield seq, record
                else:
                    tell(_damaged(run.path, log_id, seq, seq, "its checksum is wrong"))
                seq += 1
        except RecordDamagedError as error:
            tell(_damaged(run.path, log_id, seq, run.last, str(error)))

    return Piece(run.first, run.last, _JOURNALED, read)


def merged(pieces: list[Piece]) -> Generator[Message, None, None]:
    """The messages of all pieces, rising, each once. At any moment only those are open that overlap."""
    waiting = sorted(pieces, key=lambda piece: (piece.first, piece.rank), reverse=True)
    heads: list[tuple[int, int, int, bytes, Iterator[Message]]] = []
    opened = 0
    upto = 0
    while waiting or heads:
        while waiting and (not heads or waiting[-1].first <= heads[0][0]):
            piece = waiting.pop()
            opened += 1
            _push(heads, piece.rank, opened, piece.read())
        if not heads:
            continue  # nothing of it could be read
        seq, rank, number, record, rest = heapq.heappop(heads)
        if seq > upto:
            yield seq, record
            upto = seq
        _push(heads, rank, number, rest)


def _push(
    heads: list[tuple[int, int, int, bytes, Iterator[Message]]], rank: int, number: int, messages: Iterator[Message]
) -> None:
    message = next(messages, None)
    if message is not None:
        heapq.heappush(heads, (message[0], rank, number, message[1], messages))


def _messages(path: str, log_id: int, block: PackedBlock, tell: Tell) -> Iterator[Message]:
    runs, bad = unpack_block(block)
    for damage in bad:
        tell(_damaged(path, log_id, damage.first, damage.last, damage.reason))
    for first, records in runs:
        yield from enumerate(records, first)


def _damaged(path: str, log_id: int, first: int, last: int, reason: str) -> Finding:
    return Finding(FindingKind.RECORD, path, reason, log=log_id, first=first, last=last)
