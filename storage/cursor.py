"""A cursor: what one queue, or one durable subscription, still owes of a log.

`next` is the first sequence number that was never handed out. Everything below it is settled, except the holes (see
holes.py). Nothing from `next` on is settled, except what was moved away before its turn came (`gaps`).

In memory: all of it. Durable: settled ranges, gaps, returned counts, and `promised`: the sequence number below which
anything may have been handed out. It is journaled ahead of the deliveries, so that after a crash whatever may be a
repeat can say so, without a sync for each delivery. Ordering: first deliveries rise strictly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from segue.storage.entries import ranges_of
from segue.storage.gaps import Gaps
from segue.storage.holes import Holes
from segue.storage.standing import CONDEMNED
from segue.storage.window import Window

if TYPE_CHECKING:
    from segue.storage.log import Log

__all__ = ["READ_AHEAD", "Cursor"]

READ_AHEAD = 16384
"""How far `promised` runs ahead of `next`. More messages than a sync takes to come round at full speed, so that no
consumer waits for it; and the largest number of messages flagged `redelivered` in vain after a crash."""
_WINDOW_LOW_BYTES = 512 << 10
_NO_BOUND = 1 << 62
READ_BYTES_MAX = 1 << 20
"""Most bytes that one `read` hands out, a single larger message excepted."""


class Cursor(Holes):
    """One reader's place in a `Log`: what is below `next` is its `Holes`', the rest is its own.

    Attributes:
        next: first sequence number never handed out.
        promised: durable bound of what may have been handed out.
        maybe: below this, a first delivery may be a repeat from before a crash.
        gaps: what is settled from `next` on; None when nothing is.
        window: what was read ahead from disk.
    """

    __slots__ = ("asked", "definition", "gaps", "maybe", "next", "promised", "window")

    def __init__(self, cursor_id: int, log: Log, definition: dict[str, Any], next_seq: int) -> None:
        super().__init__(cursor_id, log)
        self.definition = definition
        self.next = next_seq
        self.promised = next_seq if log.journaled else _NO_BOUND
        self.maybe = 0
        self.gaps: Gaps | None = None
        self.window = Window()
        self.asked = self.promised

    # -- numbers

    @property
    def unread(self) -> int:
        """Durable messages never handed out."""
        unread = self.log.durable - self.next
        if self.gaps is not None:
            unread -= self.gaps.messages
        return max(0, unread)

    @property
    def ready(self) -> int:
        """Messages that could go out now."""
        return self.unread + len(self.returned) - len(self.condemned)

    @property
    def waiting(self) -> int:
        """As `ready`, with those that are not durable yet."""
        waiting = self.log.head - self.next + len(self.returned) - len(self.condemned)
        return waiting if self.gaps is None else waiting - self.gaps.messages

    def is_ready(self, seq: int) -> bool:
        """True when this one, which is durable, could go out now: it is neither out, condemned, nor settled."""
        if seq < self.next:
            return self.returned.get(seq, CONDEMNED) < CONDEMNED
        return self.gaps is None or seq not in self.gaps

    @property
    def gap_ranges(self) -> int:
        """How many ranges `gaps` has."""
        return 0 if self.gaps is None else len(self.gaps)

    def low(self) -> int:
        """The lowest sequence number that is still owed."""
        hole = self.low_hole()
        return self.next if hole is None else min(self.next, hole)

    # -- reading

    def read(self, limit: int) -> tuple[int, list[bytes]]:
        """The next messages that were never handed out, in order, at most `limit` (at least 1).

        Returns:
            The first sequence number and the records behind it, without gaps. An empty list when there is none
            now; a listener is called when that changes (a batch became durable, a read from disk came back).
        """
        log = self.log
        while True:
            if self.gaps is not None:
                limit = self._up_to_gap(limit)
            first = self.next
            end = min(first + limit, log.durable, self.promised)
            if self.promised - end < READ_AHEAD // 2:
                self._promise()
            if end <= first:
                return first, []
            if first >= log.hot_first:
                hot = log.hot
            elif log.spilling is not None and first >= log.spill_first:
                hot = log.spilling
                end = min(end, log.hot_first)
            elif (found := self._read_window(first, limit)) is not None:
                return found
            else:
                continue
            try:
                records = [hot[seq] for seq in range(first, end)]
            except KeyError:
                records = self._read_over_gap(first, end, hot)
                if not records:
                    continue
                first = self.next
            records = _trim(records)
            self.next = first + len(records)
            return first, records

    def read_across(self, limit: int) -> tuple[Sequence[int], list[bytes]]:
        """As `read`, across gaps: the numbers of the messages, which rise, and the records behind them.

        They are all below `maybe`, or none is. `read_again` is not for them.
        """
        self.pass_gaps()
        first = self.next
        end = min(self.log.durable, self.promised, self.maybe if first < self.maybe else _NO_BOUND)
        seqs = [] if self.gaps is None else self.gaps.outside(first, end, limit)
        records = _trim(self._at_hand(seqs)) if seqs else []
        if not records:
            first, records = self.read(min(limit, max(1, end - first)))
            return range(first, first + len(records)), records
        del seqs[len(records) :]
        self.advance(seqs[-1] + 1)
        if self.promised - self.next < READ_AHEAD // 2:
            self._promise()
        return seqs, records

    def read_again(self, seq: int) -> None:
        """The last `read` gave too much: from `seq` on it has not happened. To be called before anything else."""
        assert seq <= self.next
        self.next = seq

    # -- settling

    def place(self, seq: int) -> int:
        """Where a message stands in the order of first deliveries: the lowest goes first."""
        return seq

    @property
    def unread_place(self) -> int:
        """Where the first message stands that was never handed out: above all that were."""
        return self.next

    def may_repeat(self, seq: int) -> bool:
        """True when a first delivery of this one may be a repeat from before a crash."""
        return seq < self.maybe

    def settle_ahead(self, seqs: list[int]) -> None:
        """Settle some that were never handed out, rising numbers of durable messages; those between stay unread."""
        if not seqs:
            return
        log = self.log
        assert self.next <= seqs[0]
        assert seqs[-1] < log.durable
        ranges = ranges_of(seqs)
        self.add_gaps(ranges)
        if log.journaled:
            log.store.batch.gaps.setdefault(self, []).extend(ranges)
            log.touch()
        log.forget(seqs)

    def advance(self, seq: int) -> None:
        """Go on at `seq`: what is before it is settled, out, returned, or set aside."""
        self.next = seq
        if self.gaps is not None:
            self.gaps.drop_below(seq)
            if not self.gaps:
                self.gaps = None

    def add_gaps(self, ranges: Iterable[tuple[int, int]]) -> None:
        """These are settled; they lie at `next` or above."""
        if self.gaps is None:
            self.gaps = Gaps()
        for first, last in ranges:
            self.gaps.add(first, last)
        self.pass_gaps()

    def pass_gaps(self) -> None:
        """Step over a gap at `next`, which is nothing but a larger `next`."""
        if self.gaps is not None and (end := self.gaps.end(self.next)) > self.next:
            self._step_to(end)

    def skip_to(self, seq: int) -> int:
        """Settle everything unread below `seq` (purge). Returns how many messages that were."""
        first, count = self.next, max(0, seq - self.next)
        if count:
            if self.gaps is not None:
                count -= self.gaps.within(first, seq - 1)
            if self.log.journaled:
                self.log.store.batch.ranges.append((self, first, seq - 1))
                self.log.touch()
            self._step_to(seq)
            self.window.clear()
            self.log.forget_range(first, seq - 1)
        return count

    def skip(self, count: int) -> int:
        """Settle what is durable and unread, from its first message on, so many at most. Returns how many that were."""
        self.pass_gaps()
        # All of them in one step, however many gaps there are between.
        return self.skip_to(self.log.durable if count >= self.unread else self.next + count)

    def retire(self) -> None:
        """The cursor is deleted: what is on its way to it will be ignored."""
        super().retire()
        self.window.clear()

    # -- recovery

    def recovered(self) -> None:
        super().recovered()
        # Up to here it may have been delivered before a crash; after a clean stop `promised` is no higher than `next`,
        # or than an earlier `maybe`.
        self.maybe = min(self.promised, self.log.head)
        self.promised = self.asked = max(self.promised, self.next)

    # -- inside

    def _promise(self) -> None:
        store = self.log.store
        if self.asked - self.next < READ_AHEAD // 2:
            self.asked = self.next + READ_AHEAD
            store.batch.reads[self] = self.asked
            self.log.touch()
        if self.promised <= self.next < self.log.durable:
            store.want()

    def _at_hand(self, seqs: list[int]) -> list[bytes]:
        """The records of these that were never handed out, up to the first that has to be waited or looked for."""
        log = self.log
        if seqs[0] >= log.hot_first:
            return _found_in(log.hot, seqs)
        if log.spilling is not None and seqs[0] >= log.spill_first:
            return _found_in(log.spilling, seqs)
        records = self.window.pick(seqs)
        if records:
            self._refill_window()
        return records

    def _read_window(self, first: int, limit: int) -> tuple[int, list[bytes]] | None:
        """As `read`, of what was read ahead. None when `next` has moved and more may be elsewhere."""
        window = self.window
        if first >= window.upto:
            self._read_ahead(first)
            return first, []
        begin, records = window.take(first, limit)
        if window.damage and window.damage[0].first < begin:
            self._pass_damage()
            return None
        bound = min(self.log.durable, self.promised)
        if not records or begin >= bound:
            self._pass_gap(min(begin, bound))
            return None
        if begin > first:
            self._pass_gap(begin)
            if self.gaps is not None:
                return None  # `limit` was for what comes behind `first`
        records = _trim(records[: bound - begin])
        self.next = begin + len(records)
        self._refill_window()
        return begin, records

    def _refill_window(self) -> None:
        if self.window.bytes < _WINDOW_LOW_BYTES and self.window.upto < self.log.ram_first:
            self._read_ahead(self.window.upto)

    def _pass_damage(self) -> None:
        """Set aside what can't be read. That is no delivery, so `promised` is no bound for it."""
        damage = self.window.damage.popleft()
        first = max(damage.first, self.next)
        if first <= damage.last:
            # What is settled must not come back when the bytes are mended.
            owed = [(first, damage.last)] if self.gaps is None else self.gaps.between(first, damage.last)
            for begin, end in owed:
                self.quarantined.add(begin, end, damage.reason)
            self.advance(damage.last + 1)
            self.log.touch()

    def _read_ahead(self, seq: int) -> None:
        if not self.window.reading and not self.fault:
            self.window.reading = True
            self.log.store.read_ahead(self, seq)

    def _read_over_gap(self, first: int, end: int, hot: dict[int, bytes]) -> list[bytes]:
        """As `read`, where some of [first, end) are not in `hot`: the first run of those that are."""
        seq = first
        while seq < end and seq not in hot:
            seq += 1
        self._pass_gap(seq)
        records = []
        while seq < end and seq in hot:
            records.append(hot[seq])
            seq += 1
        return records

    def _pass_gap(self, seq: int) -> None:
        """Go on at `seq`: what is before it was settled by other cursors before this one was made.

        The journal has to know. A replay that finds a number behind the gap settled takes what is before it for
        what was out: the numbers of the gap would be looked for in vain, and set aside as damaged.
        """
        if seq > self.next and self.log.journaled:
            self.log.store.batch.ranges.append((self, self.next, seq - 1))
            self.log.touch()
        self.advance(seq)

    def _up_to_gap(self, limit: int) -> int:
        """How many may be read from `next` on before a gap, when the one at `next` is passed."""
        self.pass_gaps()
        return limit if self.gaps is None else min(limit, self.gaps.ahead(self.next) - self.next)

    def _step_to(self, seq: int) -> None:
        """Go on at `seq`: what is before it is settled, and the journal says so."""
        self.asked = max(self.asked, seq)
        self.promised = max(self.promised, seq)
        self.advance(seq)


def _found_in(hot: dict[int, bytes], seqs: list[int]) -> list[bytes]:
    """The records of these, up to the first that is not there."""
    return [record for record in takewhile(bool, map(hot.get, seqs)) if record]


def _trim(records: list[bytes]) -> list[bytes]:
    if sum(map(len, records)) <= READ_BYTES_MAX:
        return records
    total = 0
    for count, record in enumerate(records):
        total += len(record)
        if total > READ_BYTES_MAX:
            return records[: max(1, count)]
    return records
