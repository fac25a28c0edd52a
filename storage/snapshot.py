"""A log as a checkpoint sees it: what is still owed, and what is to happen to each of its extents.

All snapshots of a checkpoint are taken in one step of the event loop, 10,000 of them if so many queues have changed: so
that step only copies what may change, and what follows from it is worked out later, in `LogSnapshot.work_out`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from segue.storage.block import BLOCK_BYTES_MAX, BLOCK_MESSAGES_MAX
from segue.storage.catalog_rows import CursorState
from segue.storage.gaps import Gaps
from segue.storage.log import Extent, Log

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor

__all__ = ["LogSnapshot", "Sorting", "snapshot_of", "sort_extents"]

_SPARSE_BELOW: Final = 0.25
"""A segment with a smaller part of its messages still owed is rewritten."""
_REWRITE_MESSAGES_MAX: Final = 50_000
"""Most messages that one checkpoint rewrites for a log, so that it does not take long."""
_NO_HOLES: Final[dict[int, int]] = {}
_NO_RANGES: Final[list[tuple[int, int]]] = []
"""Most cursors have none. These two are never changed; one for each would be work for the garbage collector."""
_SHORT_BLOCKS_MAX: Final = 8
"""So many loose blocks at the end that are not full are joined: a queue that gets a message a minute must not end up
with a row for each. Each message is rewritten some eight times until its block is full."""


@dataclass(slots=True)
class LogSnapshot:
    """A log as it was behind the batch of the snapshot.

    Attributes:
        holes: unsettled numbers below the lowest `next`, of all cursors, rising; from `work_out` on, as the next two.
        quarantined: damaged ranges, of all cursors.
        unread: everything from here on is owed by some cursor, but for `gaps`.
        gaps: what a log's only cursor has settled ahead; None when there is none. Where there are several cursors, what
            one of them has moved away stays until the others have passed it.
    """

    log: Log
    head: int
    spilling: dict[int, bytes]
    spilled_bytes: int
    cursors: list[CursorState]
    holes: Sequence[int] = ()
    quarantined: Sequence[tuple[int, int]] = ()
    unread: int = -1
    gaps: Gaps | None = None

    def work_out(self) -> None:
        """Find out what is owed; only the copies are looked at, so the log may have gone on."""
        if self.unread >= 0:
            return
        self.unread = min((state.next for state in self.cursors), default=self.head)
        holes: set[int] = set()
        for state in self.cursors:
            holes.update(state.holes)
        if holes:
            self.holes = sorted(seq for seq in holes if seq < self.unread)
        self.gaps = self.cursors[0].gaps if len(self.cursors) == 1 else None
        self.quarantined = [damage for state in self.cursors for damage in state.quarantined]

    def owes(self, first: int, last: int) -> int:
        """How many messages in [first, last] are still owed, at most."""
        owed = bisect_left(self.holes, last + 1) - bisect_left(self.holes, first)
        owed += max(0, last - max(first, self.unread) + 1)
        if self.gaps is not None:
            owed -= self.gaps.within(first, last)
        return owed + sum(max(0, min(last, b) - max(first, a) + 1) for a, b in self.quarantined)

    def owed(self, seq: int) -> bool:
        """True when some cursor still needs this message."""
        if seq >= self.unread:
            return self.gaps is None or seq not in self.gaps
        index = bisect_left(self.holes, seq)
        if index < len(self.holes) and self.holes[index] == seq:
            return True
        return any(first <= seq <= last for first, last in self.quarantined)

    def owed_of_spilling(self) -> Iterator[tuple[int, bytes]]:
        """What is spilled and still owed, rising. Runs in a database's thread."""
        unread = self.unread if self.gaps is None else self.head
        for seq, record in self.spilling.items():
            if seq >= unread or self.owed(seq):
                yield seq, record


def snapshot_of(log: Log, *, clean: bool = False) -> LogSnapshot:
    """Copy what a checkpoint needs of a log, and turn `hot` into `spilling`. One step of the event loop.

    Args:
        log: what to copy.
        clean: nothing will be handed out after this, so that `promised` may fall back to what was.
    """
    cursors = [_cursor_state(cursor, clean) for cursor in log.cursors]
    return LogSnapshot(log, log.sealed, log.begin_spill(), log.hot_bytes, cursors)


def _cursor_state(cursor: Cursor, clean: bool) -> CursorState:
    cursor.pass_gaps()  # nobody reads a cursor that has nothing behind its gap
    promised = max(cursor.next, cursor.maybe) if clean else max(cursor.asked, cursor.promised)
    holes = cursor.holes() if cursor.returned or any(cursor.out) else _NO_HOLES
    quarantined = [(first, last) for first, last, _ in cursor.quarantined] if cursor.quarantined else _NO_RANGES
    gaps = cursor.gaps.copy() if cursor.gaps is not None else None
    return CursorState(cursor.id, cursor.log.id, cursor.next, promised, holes, quarantined, cursor.definition, gaps)


@dataclass(slots=True)
class Sorting:
    """What happens to the extents of a log.

    Attributes:
        kept: stay as they are.
        dead: go; nobody owes anything of them.
        sparse: segments whose few messages become loose blocks.
        tail: loose blocks that join what is spilled.
    """

    kept: list[Extent] = field(default_factory=list)
    dead: list[Extent] = field(default_factory=list)
    sparse: list[Extent] = field(default_factory=list)
    tail: list[Extent] = field(default_factory=list)


def sort_extents(snapshot: LogSnapshot, segment_bytes_min: int) -> Sorting:
    """Decide what happens to each extent of a log."""
    found = Sorting()
    budget = _REWRITE_MESSAGES_MAX
    for extent in snapshot.log.extents:
        owes = snapshot.owes(extent.first, extent.last)
        if owes == 0:
            found.dead.append(extent)
        elif extent.path and owes < extent.messages * _SPARSE_BELOW and owes <= budget:
            found.sparse.append(extent)
            budget -= owes
        else:
            found.kept.append(extent)
    last_segment = max((extent.last for extent in (*found.kept, *found.sparse) if extent.path), default=0)
    loose = [extent for extent in found.kept if not extent.path and extent.first > last_segment]
    found.tail = _tail_to_join(loose, snapshot.spilled_bytes, segment_bytes_min)
    found.kept = found.kept[: len(found.kept) - len(found.tail)]
    return found


def _tail_to_join(loose: list[Extent], spilled_bytes: int, segment_bytes_min: int) -> list[Extent]:
    if loose and sum(extent.bytes for extent in loose) + spilled_bytes >= segment_bytes_min:
        return loose
    short = [at for at, extent in enumerate(loose) if not _is_full(extent)]
    return loose[short[-_SHORT_BLOCKS_MAX] :] if len(short) >= _SHORT_BLOCKS_MAX else []


def _is_full(extent: Extent) -> bool:
    return extent.messages >= BLOCK_MESSAGES_MAX or extent.bytes >= BLOCK_BYTES_MAX // 2
