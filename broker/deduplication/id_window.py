"""The ids that one queue remembers: whether one was accepted within the window, and as which message.

Theory of operation. Ids that came last are in memory, all of them (`RecentIds`); those behind them, of large windows or
where memory is short, have left a filter there and stand on disk (`OlderIds`). Both are entries of the companion log,
in the order of their arrival: so the window is a piece of that log, and what has left it is forgotten from its start.

Invariant: an id is in `recent` or in `older`, or is new, or behind the window.
In memory: all of it. Durable: the companion log, from which `_read_back` makes the rest again when the first id comes
after a start, or somewhat later by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.deduplication.acceptance import RecallPendingError
from segue.broker.deduplication.companion import CompanionLog
from segue.broker.deduplication.entries import ID_BYTES, ID_ENTRIES_MAX
from segue.broker.deduplication.older_ids import Find, OlderIds
from segue.broker.deduplication.recent_ids import RecentIds
from segue.broker.deduplication.recollection import Recollection

if TYPE_CHECKING:
    from segue.broker.deduplication.memory import DeduplicationMemory
    from segue.broker.node import Node

__all__ = ["RECENT_IDS_MAX", "IdWindow"]

RECENT_IDS_MAX: Final = 131_072
"""Ids of a queue that stay in memory one by one, 23 MB: a window of the default size does so wholly."""
_FORGOTTEN_MAX: Final = 8192
"""Ids forgotten in one step because their time is over: a millisecond or two. The rest goes with the next ones."""
_FOLDED_IDS_MIN: Final = 512
"""With fewer, the smallest filter takes about as much as they do."""
_RECORD_BYTES_MAX: Final = ID_ENTRIES_MAX * ID_BYTES
_ANSWERS_MAX: Final = 100_000


class IdWindow(Recollection):
    """See the module.

    Attributes:
        window_ms: how long an id is remembered.
        ids_max: how many are, at most, those of the open batch not counted.
        memory_bytes: what it takes, as it stands in the sum over all queues.
    """

    def __init__(
        self, node: Node, memory: DeduplicationMemory, companion: CompanionLog | None, *, read_back: bool
    ) -> None:
        """See `Recollection`."""
        super().__init__(node, companion, read_back=read_back)
        self.window_ms = 0
        self.ids_max = 0
        self.memory_bytes = 0
        self._memory = memory
        self._clock = node.clock
        self._recent = RecentIds()
        self._older: OlderIds | None = None
        self._asked: set[bytes] = set()
        self._answers: dict[bytes, Find | None] = {}

    def __len__(self) -> int:
        return len(self._recent) + (len(self._older) if self._older is not None else 0)

    def find(self, digest: bytes) -> int:
        """The sequence number of the message that had this id within the window, 0 when none had.

        Raises:
            RecallPendingError: that has to be read from disk.
        """
        if not self.is_read:
            raise self._pending()
        seq = self._recent.seqs.get(digest)
        if seq is not None:
            if not self._is_due(self._clock.now_ms()):
                return seq
            while self._forget_some(self._clock.now_ms()):
                pass
            return self._recent.seqs.get(digest, 0)
        return 0 if self._older is None else self._find_older(self._older, digest)

    def are_new(self, digests: Sequence[bytes]) -> bool:
        """True when `find` knows none of these, and they differ; False when one may be a repeat.

        Raises:
            RecallPendingError: that has to be read from disk. If not, `find` does not raise it either.
        """
        if not self.is_read:
            raise self._pending()
        known = self._older is not None and self._is_any_older(self._older, digests)
        return not known and self._recent.seqs.keys().isdisjoint(digests) and len(set(digests)) == len(digests)

    def remember(self, digest: bytes, seq: int) -> None:
        """An id that `find` does not know was accepted; durable with the open batch."""
        recent = self._recent
        if not recent.open and self._companion is not None:
            self._companion.call_when_sealed(self._seal)
        recent.add(digest, seq)
        if self._answers:
            self._answers.pop(digest, None)
        if len(recent.open) >= _RECORD_BYTES_MAX:
            self._close_record()

    def remember_all(self, digests: Sequence[bytes], seqs: Sequence[int]) -> None:
        """As `remember`, for ids that `are_new`, fewer than a record takes."""
        recent = self._recent
        if len(recent.open) + len(digests) * ID_BYTES > _RECORD_BYTES_MAX:
            self._close_record()
        if not recent.open and self._companion is not None:
            self._companion.call_when_sealed(self._seal)
        recent.add_all(digests, seqs)
        if self._answers:
            for digest in digests:
                self._answers.pop(digest, None)

    def forget(self) -> bool:
        """Let go of what has left the window, some of it at a time; True when there is more. Called every second."""
        if self._companion is None:
            self._seal()
        more = self._forget_some(self._clock.now_ms())
        self.retry()
        if self._recall is not None and not self._recall.awaited:
            self._answers.clear()
        if self._companion is not None and self.is_read:
            self._companion.forget_below(self._first_needed())
        self._account()
        return more

    def spare_memory(self) -> None:
        """Memory is short: of what is on disk, keep the filter only; unless that takes as much."""
        if self._older is None and len(self._recent) < _FOLDED_IDS_MIN:
            return
        while self._memory.is_short and self._fold():
            self._account()

    # -- inside

    def _seal(self) -> None:
        """The batch is about to be sealed.

        Nothing leaves the window before that, nor memory: a transaction asks for all of its messages, and then nothing
        that was at hand for one of them may need the disk.
        """
        self._close_record()
        recent = self._recent
        # Not for each id: together they are forgotten in a third of the time.
        recent.forget_down_to(self.ids_max)
        while len(recent) > RECENT_IDS_MAX and self._fold():
            pass
        self._account()
        if self._memory.is_short:
            self.spare_memory()

    def _close_record(self) -> None:
        """What the open batch has brought is complete, or enough for one record."""
        recent = self._recent
        if not recent.open:
            return
        entry = recent.close()
        if self._companion is None:
            entry.at, entry.time_ms = -1, self._clock.now_ms()
        else:
            entry.at, entry.time_ms = self._companion.append(entry.body)

    def _is_due(self, now_ms: int) -> bool:
        entries = self._recent.entries
        return bool(entries) and entries[0].at != 0 and entries[0].time_ms + self.window_ms <= now_ms

    def _forget_some(self, now_ms: int) -> bool:
        recent = self._recent
        before = recent.total - self.ids_max
        if self._older is not None:
            self._older.forget(before, now_ms - self.window_ms)
            if not self._older.first:
                self._older = None
        forgotten = recent.forget_down_to(self.ids_max, _FORGOTTEN_MAX)
        while forgotten < _FORGOTTEN_MAX and self._is_due(now_ms):
            forgotten += len(recent.pop_entry())
        return len(recent) > self.ids_max or self._is_due(now_ms)

    def _first_needed(self) -> int:
        """The oldest record of the companion log that is in the window."""
        if self._older is not None:
            return self._older.first
        entries = self._recent.entries
        assert self._companion is not None
        return entries[0].at if entries and entries[0].at else self._companion.log.sealed

    def _fold(self) -> bool:
        """Keep of the oldest entry in memory the filter only; False when it can't be read again yet."""
        entries = self._recent.entries
        if self._companion is None or not entries or not 0 < entries[0].at < self._companion.log.sealed:
            return False
        if self._older is None:
            self._older = OlderIds(len(self._recent))
        self._older.add(self._recent.pop_entry())
        return True

    def _account(self) -> None:
        size = self._recent.memory_bytes + (self._older.memory_bytes if self._older is not None else 0)
        self._memory.bytes += size - self.memory_bytes
        self.memory_bytes = size

    def _find_older(self, older: OlderIds, digest: bytes) -> int:
        runs = older.candidates(digest)
        if not runs:
            return 0
        if digest in self._answers:
            found = self._answers[digest]
        elif older.is_at_hand(runs):
            found = older.look_up(digest, runs)
        else:
            self._asked.add(digest)
            raise self._pending()
        return found.seq if found is not None and self._is_inside(found) else 0

    def _is_any_older(self, older: OlderIds, digests: Sequence[bytes]) -> bool:
        """True when `_find_older` knows one. All are asked for, so that one read of the disk is enough."""
        found, pending = False, None
        for digest in digests:
            try:
                found = bool(self._find_older(older, digest)) or found
            except RecallPendingError as error:
                pending = error
        if pending is not None:
            raise pending
        return found

    def _is_inside(self, found: Find) -> bool:
        young = found.time_ms + self.window_ms > self._clock.now_ms()
        return young and found.ordinal >= self._recent.total - self.ids_max

    async def _recollect(self) -> None:
        if not self.is_read:
            await self._read_back()
        while self._asked:
            digest = next(iter(self._asked))
            if self._older is not None:
                assert self._companion is not None
                found = await self._older.read(self._companion, digest)
                if len(self._answers) >= _ANSWERS_MAX:
                    self._answers.clear()
                self._answers[digest] = found
            self._asked.discard(digest)

    async def _read_back(self) -> None:
        """Nothing is accepted meanwhile."""
        companion = self._companion
        assert companion is not None
        self._recent, self._older = RecentIds(), None  # a first try may have failed half way
        async for number, time_ms, body in companion.read(companion.first, companion.log.sealed):
            self._recent.take(number, time_ms, body)
            while len(self._recent) > RECENT_IDS_MAX and self._fold():
                pass
            if self._memory.is_short:
                self.spare_memory()
            self._account()
        while self._forget_some(self._clock.now_ms()):
            await trio.lowlevel.checkpoint()
        self._account()
        self.is_read = True
