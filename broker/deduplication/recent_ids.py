"""The ids that came last, in memory: every one of them, and in which record of the companion log it stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from segue.broker.deduplication.entries import DIGEST_BYTES, ID_BYTES, pack_seq, seq_at

__all__ = ["ENTRY_BYTES", "ID_MEMORY_BYTES", "Entry", "RecentIds"]

ID_MEMORY_BYTES: Final = 176
"""What an id takes: its digest, its number, its place in the dict, 24 bytes of its entry; measured, CPython 3.11."""
ENTRY_BYTES: Final = 256
"""What an entry takes beside its ids."""


class Entry:
    """Ids that came in one batch.

    Attributes:
        at: the number of its record in the companion log; 0 while its batch is open.
        time_ms: when the batch was closed, milliseconds since 1970.
        ordinal: how many ids had come before the first of them.
        body: as in the record; empty while its batch is open.
        start: where in `body` those begin that are not forgotten.
    """

    __slots__ = ("at", "body", "ordinal", "start", "time_ms")

    def __init__(self, ordinal: int, body: bytes, at: int = 0, time_ms: int = 0) -> None:
        self.at = at
        self.time_ms = time_ms
        self.ordinal = ordinal
        self.body = body
        self.start = 0

    def __len__(self) -> int:
        """Ids that are not forgotten."""
        return (len(self.body) - self.start) // ID_BYTES


class RecentIds:
    """See the module.

    Invariant: `seqs` holds exactly the ids that stand in `entries` and are not forgotten there. An id stands there
    once, but for what was read back: one that had left the window and came again is in the log twice, and the later
    one counts.

    Attributes:
        seqs: digest → sequence number of the message.
        entries: oldest first.
        open: the entries of the open batch as bytes.
        total: ids that ever came, those before the last start included as far as they were read back.
    """

    __slots__ = ("_some_twice", "entries", "open", "seqs", "total")

    def __init__(self) -> None:
        self.seqs: dict[bytes, int] = {}
        self.entries: deque[Entry] = deque()
        self.total = 0
        self._some_twice = False
        self.open = bytearray()

    def __len__(self) -> int:
        return len(self.seqs)

    @property
    def memory_bytes(self) -> int:
        """What all this takes, roughly."""
        return len(self.seqs) * ID_MEMORY_BYTES + len(self.entries) * ENTRY_BYTES

    def add(self, digest: bytes, seq: int) -> None:
        """An id is accepted, and new."""
        if not self.open:
            self.entries.append(Entry(self.total, b""))
        self.seqs[digest] = seq
        self.open += digest + pack_seq(seq)
        self.total += 1

    def add_all(self, digests: Sequence[bytes], seqs: Sequence[int]) -> None:
        """As `add`, for several that differ."""
        if not self.open:
            self.entries.append(Entry(self.total, b""))
        self.seqs.update(zip(digests, seqs, strict=True))
        self.open += b"".join([digest + pack_seq(seq) for digest, seq in zip(digests, seqs, strict=True)])
        self.total += len(digests)

    def close(self) -> Entry:
        """The open batch is complete: its entry, whose `at` and `time_ms` the caller sets. It is the last one."""
        entry = self.entries[-1]
        entry.body = bytes(self.open)
        self.open = bytearray()
        return entry

    def take(self, at: int, time_ms: int, body: bytes) -> None:
        """What a record of the companion log says; from the oldest to the newest."""
        entry = Entry(self.total, body, at, time_ms)
        whole = len(body) - len(body) % ID_BYTES
        before = len(self.seqs)
        self.seqs.update(
            {body[place : place + DIGEST_BYTES]: seq_at(body, place) for place in range(0, whole, ID_BYTES)}
        )
        self.entries.append(entry)
        self.total += len(entry)
        self._some_twice = self._some_twice or len(self.seqs) - before < len(entry)

    def forget_down_to(self, ids_max: int, limit: int = 1 << 60) -> int:
        """Let go of the ids that came first, so that no more are left than this; of entries that are not open.

        Returns:
            How many those were, at most about `limit`.
        """
        excess = len(self.seqs) - ids_max
        if excess <= 0:
            return 0
        left = excess = min(excess, limit)
        entries = self.entries
        while left and entries and entries[0].at:
            entry = entries[0]
            if len(entry) <= left:
                left -= len(entry)
                self.pop_entry()
            else:
                self._forget(entry, entry.start + left * ID_BYTES)
                left = 0
        return excess - left

    def pop_entry(self) -> Entry:
        """Let go of all ids of the oldest entry, which is not open; returns it."""
        entry = self.entries.popleft()
        start = entry.start
        self._forget(entry, len(entry.body))
        entry.start = start
        return entry

    def _forget(self, entry: Entry, end: int) -> None:
        """Forget ids of a closed entry up to byte `end`."""
        body, seqs = entry.body, self.seqs
        places: Iterable[int] = range(entry.start, end, ID_BYTES)
        if self._some_twice:
            places = [at for at in places if seqs.get(body[at : at + DIGEST_BYTES]) == seq_at(body, at)]
        for place in places:
            del seqs[body[place : place + DIGEST_BYTES]]
        entry.start = end
