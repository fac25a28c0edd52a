"""A log: records numbered 1, 2, 3 …, and where each of them is now.

A record that is still owed is in exactly one of four places, in falling order of sequence number:

    open batch ≥ sealed head │ `hot` ≥ `hot_first` │ `spilling` ≥ `spill_first` │ `extents` (segments, loose blocks)

A checkpoint turns `hot` into `spilling` in one step, writes that to disk beside the event loop, and swaps it for
extents in another. So sequence numbers in extents, in `spilling` and in `hot` never overlap.

In memory: `hot` and `spilling`. Durable: what the journal and the extents hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from segue.storage.batch import Run

if TYPE_CHECKING:
    from segue.storage.cursor import Cursor
    from segue.storage.store import Store

__all__ = ["RECORD_OVERHEAD", "Extent", "Log"]

RECORD_OVERHEAD = 128
"""Bytes that CPython adds to a record in memory: the object's head, its number, its place in a dict."""
_PICKED_OUT_MAX = 1024
"""Messages of a range that are let go of one by one, rather than by looking for those that stay."""


class Extent(NamedTuple):
    """A piece of a log on disk.

    Attributes:
        first, last: sequence numbers; numbers between may be missing, they are settled.
        path: the segment file, or empty for a loose block in the catalog.
        messages: how many were in it when it was written.
        bytes: size of their records.
        written_ms: when, milliseconds since 1970.
        file_bytes: size of the segment file, 0 for a loose block.
    """

    first: int
    last: int
    path: str
    messages: int
    bytes: int
    written_ms: int
    file_bytes: int = 0


class Log:
    """See the module.

    Attributes:
        head: the next sequence number to give.
        sealed: everything below was handed to the journal.
        durable: everything below is on disk, and may be delivered.
        low: nothing below is owed by any cursor; for a log with one cursor it may lag behind.
        hot_bytes: memory that the records in `hot`, and all that are being spilled, take.
        listener: called when messages have become durable.
        on_sealed: called with the first number and the records of each run that is handed to the journal.
        journaled: False for a log that dies with its connection and never touches the disk.
    """

    __slots__ = (
        "_run", "_spilling_bytes", "cursors", "definition", "dirty", "durable", "extents", "head", "hot", "hot_bytes",
        "hot_first", "id", "journaled", "listener", "low", "on_sealed", "sealed", "spill_first", "spilling", "store",
    )  # fmt: skip

    def __init__(
        self, store: Store, log_id: int, definition: dict[str, Any], *, head: int = 1, journaled: bool = True
    ) -> None:
        self.store = store
        self.id = log_id
        self.definition = definition
        self.head = self.sealed = self.durable = self.hot_first = self.spill_first = self.low = head
        self.journaled = journaled
        self.hot: dict[int, bytes] = {}
        self.hot_bytes = 0
        self._spilling_bytes = 0
        self.spilling: dict[int, bytes] | None = None
        self.extents: list[Extent] = []
        self.cursors: list[Cursor] = []
        self.listener: Callable[[], None] | None = None
        self.on_sealed: Callable[[int, list[bytes]], None] | None = None
        self.dirty = False
        self._run: Run | None = None

    def append(self, record: bytes) -> int:
        """Put a record at the end; it is durable with the batch that is open now. Returns its sequence number."""
        seq = self.head
        self.head = seq + 1
        if self._run is None:
            self._begin_run(seq)
        self._run.records.append(record)  # type: ignore[union-attr]
        self.store.batch.size += len(record)
        return seq

    def append_all(self, records: list[bytes]) -> None:
        """As `append`, of one or several, one behind the other."""
        if self._run is None:
            self._begin_run(self.head)
        self.head += len(records)
        self._run.records += records  # type: ignore[union-attr]
        self.store.batch.size += sum(map(len, records))

    def close_run(self) -> None:
        """The next `append` starts a new ENQUEUE entry."""
        self._run = None

    def touch(self) -> None:
        """Something changed that the next checkpoint has to write."""
        if not self.dirty:
            self.dirty = True
            self.store.dirty.append(self)

    def find(self, seq: int) -> bytes | None:
        """The record if it is in memory. Otherwise it is on disk, or settled."""
        record = self.hot.get(seq)
        if record is None and self.spilling is not None:
            record = self.spilling.get(seq)
        return record

    @property
    def ram_first(self) -> int:
        """Lowest sequence number that may be in memory; what is owed below is on disk."""
        return self.hot_first if self.spilling is None else self.spill_first

    def extent_at(self, seq: int) -> int:
        """Index of the first extent that ends at or above `seq`."""
        extents = self.extents
        index = bisect_right(extents, seq, key=lambda extent: extent.first)
        return index - 1 if index and extents[index - 1].last >= seq else index

    # -- sealing and durability (called by the store)

    def sealed_run(self, first: int, records: list[bytes]) -> None:
        """Records of a batch that was closed enter memory."""
        self._run = None
        self.hot.update(zip(range(first, first + len(records)), records, strict=True))
        size = sum(map(len, records)) + RECORD_OVERHEAD * len(records)
        self.hot_bytes += size
        self.store.hot_bytes += size
        self.sealed = first + len(records)
        if self.on_sealed is not None:
            self.on_sealed(first, records)
        if not self.dirty:
            self.touch()

    # -- forgetting

    def forget(self, seqs: list[int]) -> None:
        """These messages are settled by one cursor; with a single one they leave memory now."""
        if len(self.cursors) == 1:
            self.forget_all(seqs)

    def forget_range(self, first: int, last: int) -> None:
        """As `forget`, for a whole range."""
        if len(self.cursors) != 1:
            return
        hot, cursor = self.hot, self.cursors[0]
        if cursor.next > last and last - max(first, self.hot_first) > _PICKED_OUT_MAX:
            # What is left is little, and is looked for. To pick the others out one by one takes a purge 50 ms.
            left = chain(sorted(cursor.holes()), range(last + 1, self.sealed))
            self._replace_hot({seq: hot[seq] for seq in left if seq in hot})
        else:
            self.forget([seq for seq in range(max(first, self.hot_first), last + 1) if seq in hot])

    def first_owed(self) -> int:
        """The lowest number that a cursor still owes. Without a cursor nothing is kept for long: then `low`."""
        return min((cursor.low() for cursor in self.cursors), default=self.low)

    def trim(self) -> None:
        """Let go of what every cursor has passed; for logs with several cursors, once a batch at most."""
        low = self.first_owed()
        if low > self.low:
            self.low = low
            hot = self.hot
            if len(hot) < low - self.hot_first:
                self.forget_all([seq for seq in hot if seq < low])
            else:
                self.forget_all(range(self.hot_first, low))

    def cursor_joins(self) -> None:
        """A cursor is about to be made that begins with what others owe: what is settled is not there for it.

        A replay forgets it, too. If it could be handed out only because it is being spilled, and came back, it would be
        looked for in vain after a crash.
        """
        if self.spilling is not None:
            self.spilling = self._owed(self.spilling)

    def cursor_left(self) -> None:
        """A cursor was deleted: let go of what only it owed."""
        if not self.cursors:
            self.low = self.sealed
            self._replace_hot({})
        elif len(self.cursors) == 1:
            # `forget` did not let go of what this cursor has settled while there were two.
            self._replace_hot(self._owed(self.hot))
        else:
            self.trim()

    def forget_all(self, seqs: Iterable[int]) -> None:
        """These messages are settled by every cursor."""
        pop = self.hot.pop
        freed = 0
        for seq in seqs:
            record = pop(seq, None)
            if record is not None:
                freed += len(record) + RECORD_OVERHEAD
        self.hot_bytes -= freed
        self.store.hot_bytes -= freed

    def clear(self) -> None:
        """The log is deleted: let go of everything in memory, but for what is being spilled; that goes in its time."""
        self.cursors.clear()
        self.listener = None
        self.on_sealed = None
        self._run = None
        self._replace_hot({})

    # -- recovery

    def replay(self, first: int, records: list[bytes]) -> None:
        """An ENQUEUE from the journal. Records below `head` are known from the catalog.

        Raises:
            ValueError: it does not go on where the log ends.
        """
        if first + len(records) <= self.head:
            return
        if first != self.head:
            raise ValueError(f"log {self.id} goes on with message {first}, and its next one is {self.head}")
        if not self.hot:
            self.hot_first = first
        self.sealed_run(first, records)
        self.head = self.sealed

    # -- checkpoint

    def begin_spill(self) -> dict[int, bytes]:
        """Turn `hot` into `spilling`; nothing is deleted from that dictionary any more."""
        assert self.spilling is None
        spilling, self.hot = self.hot, {}
        self.spilling = spilling
        self._spilling_bytes = self.hot_bytes
        self.spill_first, self.hot_first = self.hot_first, self.sealed
        if not self.cursors:
            self.low = self.sealed  # nobody owes what is spilled now, so none of it is written
        return spilling

    def end_spill(self, extents: list[Extent], spilled_bytes: int) -> None:
        """The spilled records are in `extents` now."""
        self.extents = extents
        self.spilling = None
        self._spilling_bytes = 0
        self.hot_bytes -= spilled_bytes
        self.store.hot_bytes -= spilled_bytes

    def abort_spill(self, spilled_bytes: int) -> None:
        """The records could not be written: they are hot again, without those settled meanwhile."""
        spilling, self.spilling = self.spilling, None
        self._spilling_bytes = 0
        assert spilling is not None
        self.hot_bytes -= spilled_bytes
        self.store.hot_bytes -= spilled_bytes
        if self.id not in self.store.logs:
            return
        self.hot_first = self.spill_first
        self._replace_hot(self._owed(spilling) | self.hot)
        self.touch()

    def _owed(self, records: dict[int, bytes]) -> dict[int, bytes]:
        """Those of `records` that some cursor owes."""
        unread = min((cursor.next for cursor in self.cursors), default=self.head)
        holes: set[int] = set()
        for cursor in self.cursors:
            holes.update(cursor.holes())
        gaps = self.cursors[0].gaps if len(self.cursors) == 1 else None
        return {
            seq: record
            for seq, record in records.items()
            if (seq >= unread and (gaps is None or seq not in gaps)) or seq in holes
        }

    def _replace_hot(self, keep: dict[int, bytes]) -> None:
        grown = _memory_of(keep) - (self.hot_bytes - self._spilling_bytes)
        self.hot_bytes += grown
        self.store.hot_bytes += grown
        self.hot = keep

    def _begin_run(self, first: int) -> None:
        self._run = Run(((self, first),))
        self.store.batch.runs.append(self._run)


def _memory_of(records: dict[int, bytes]) -> int:
    return sum(map(len, records.values())) + RECORD_OVERHEAD * len(records)
