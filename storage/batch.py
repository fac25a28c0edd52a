"""The batch that is growing: what has happened since the last group commit was handed to the journal.

Everything here happens on the event loop. `seal` closes a batch; from then on only the commit thread reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from segue.storage.entries import (
    define_entry,
    enqueue_entry,
    enqueue_head,
    ranges_of,
    read_entry,
    return_entry,
    settle_ahead_entry,
    settle_entry,
)

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor
    from segue.storage.holes import Holes
    from segue.storage.log import Log

__all__ = ["Batch", "Entries", "Run"]

_LARGE_BYTES: Final = 16 << 10
"""Mean size of records from which on they are not joined: copying them takes longer than handling each."""


class Entries(NamedTuple):
    """The entries of a batch as bytes.

    Attributes:
        number: how many entries.
        parts: their bytes, one part behind the other; an entry with large records has several parts.
    """

    number: int
    parts: list[bytes]


class Run:
    """Records that went to the same logs one behind the other: one ENQUEUE."""

    __slots__ = ("records", "targets")

    def __init__(self, targets: tuple[tuple[Log, int], ...]) -> None:
        self.targets = targets
        self.records: list[bytes] = []

    def parts(self) -> list[bytes]:
        """The ENQUEUE as bytes."""
        targets = [(log.id, first) for log, first in self.targets]
        records = self.records
        size = sum(map(len, records))
        if size < len(records) * _LARGE_BYTES:
            return [enqueue_entry(targets, records)]
        return [enqueue_head(targets, len(records), size), *records]


class Batch:
    """One group commit.

    Attributes:
        size: bytes of the records in it, for the soft limit.
        callbacks: called in order on the event loop once the batch is durable.
        probes: it is written even if nothing is in it: somebody asks whether the disk works.
        wanted: True when somebody waits for it, so that it has to be committed without delay.
    """

    __slots__ = (
        "callbacks",
        "cursors",
        "definitions",
        "drops",
        "gaps",
        "probes",
        "ranges",
        "reads",
        "returns",
        "runs",
        "settled",
        "size",
        "wanted",
    )

    def __init__(self) -> None:
        self.definitions: list[dict[str, Any]] = []
        self.runs: list[Run] = []
        self.settled: dict[Holes, list[int]] = {}
        self.ranges: list[tuple[Holes, int, int]] = []
        self.gaps: dict[Cursor, list[tuple[int, int]]] = {}
        self.reads: dict[Cursor, int] = {}
        self.returns: dict[Holes, dict[int, int]] = {}
        self.drops: list[dict[str, Any]] = []
        self.callbacks: list[Callable[[], None]] = []
        self.size = 0
        self.probes = False
        self.wanted = False

    def __bool__(self) -> bool:
        return bool(
            self.runs
            or self.settled
            or self.ranges
            or self.gaps
            or self.reads
            or self.returns
            or self.definitions
            or self.drops
            or self.probes
        )

    def entries(self) -> Entries:
        """The batch as journal entries. Order: what creates, what adds, what moves, what removes."""
        parts = [define_entry(definition) for definition in self.definitions]
        added = 0
        for run in self.runs:
            of_run = run.parts()
            added += len(of_run) - 1
            parts += of_run
        parts += [read_entry(cursor.id, upto) for cursor, upto in self.reads.items()]
        parts += [return_entry(cursor.id, messages.items()) for cursor, messages in self.returns.items()]
        parts += [settle_entry(cursor.id, ranges_of(seqs)) for cursor, seqs in self.settled.items() if seqs]
        parts += [settle_entry(cursor.id, [(first, last)]) for cursor, first, last in self.ranges]
        parts += [settle_ahead_entry(cursor.id, ranges) for cursor, ranges in self.gaps.items()]
        parts += [define_entry(definition) for definition in self.drops]
        return Entries(len(parts) - added, parts)
