"""Removal: what leaves a queue without being delivered: condemned, expired, and surplus messages.

Theory of operation. All of it is done in steps, as each message costs: one that is given up a little, one that is moved
as much as a new one. What one step may spend is bounded; then another step is asked for. Messages are taken
from the head of the cursor, returned ones first, so that nothing is skipped and the cursor has no more holes than
before; what has expired further on is found by the deep sweep, and settled ahead of the cursor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import takewhile

from segue.broker.bound import Bound
from segue.broker.dead_letters import Burial, Reason, condemned
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.levels import LevelOrder, Levels
from segue.broker.selector import Selector
from segue.storage.api import Cursor

__all__ = ["LOOK_AGAIN_SECONDS", "REMOVED_COST_MAX", "SETTLED_COST", "STRETCH_MAX", "Removal"]

REMOVED_COST_MAX = 1 << 20
SETTLED_COST = 512
_MOVED_COST = 4096
"""What one step may remove: 2048 messages that are given up, or some 250 small ones that are moved, for each of these
is a message anew; of large ones as many as have that size in octets."""
STRETCH_MAX = 512
"""Messages that are read at a time where some may have expired, or are not selected."""
LOOK_AGAIN_SECONDS = 1.0
_LOOK_AGAIN_SECONDS_MAX = 60.0
"""Though the first message lives longer: clocks are set, and messages settled."""


class Removal(ABC):
    """The part of a dispatcher that removes.

    Attributes:
        heads: what is drawn from, each part that is in order by itself: where the oldest messages stand.
        drops_from: what is drawn from, in the order in which messages go for newer ones.
        open: False once the cursor is deleted.
        bury: moves a condemned message (number, standing, record) within the step; None: it is given up.
        selector: what is delivered at all; the rest is settled when it is reached. None for everything.
        expiry: the deadlines of messages; None where there are none.
        sweeping: `sweep` waits to go on.
        dead_lettered, discarded: condemned messages since the start, moved or given up.
        expired: messages since the start that were past their deadline.
        bound: what may wait, when the oldest go for newer ones; None for no such limit.
        dropped: messages since the start that went so.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor: Cursor | Levels = cursor
        self.heads: Sequence[Cursor | LevelOrder] = (cursor,)
        self.drops_from: Cursor | LevelOrder = cursor
        self.open = True
        self.bury: Callable[[int, int, bytes], Burial] | None = None
        self.selector: Selector | None = None
        self.expiry: Expiry | None = None
        self.sweeping = False
        self.dead_lettered = 0
        self.discarded = 0
        self.expired = 0
        self.bound: Bound | None = None
        self.dropped = 0
        self._cost_left = 0

    @property
    @abstractmethod
    def _room(self) -> int:
        """How many more messages may be holes of the cursor."""

    @abstractmethod
    def _take_oldest_aside(self) -> tuple[int, int, bytes] | None:
        """The oldest message that is set aside, as `Cursor.take_returned` gives one."""

    @abstractmethod
    def _go_on_later(self) -> None:
        """Ask for another step."""

    def _bury(self) -> None:
        """Make dead letters of condemned messages, as many as one step may take."""
        cursor, bury = self.cursor, self.bury
        if bury is None:
            self.discarded += len(cursor.condemned)
            cursor.drop_returned(list(cursor.condemned))
            return
        while self._cost_left > 0:
            taken = cursor.take_condemned()
            if taken is None:
                return
            seq, standing, record = taken
            if self._bury_one(seq, standing, record):
                cursor.settle([seq])
            else:
                cursor.spare(seq, standing, record)
                return
        self._go_on_later()

    def bury_at_hand(self) -> None:
        """The queue may be about to be deleted: what was condemned before is moved, but for what lies on disk."""
        left = -1
        while left != len(self.cursor.condemned):
            left = len(self.cursor.condemned)
            self._cost_left = REMOVED_COST_MAX
            self._bury()

    def _bury_one(self, seq: int, standing: int, record: bytes) -> bool:
        """False when it has to stay. What is not selected is nobody's dead letter: it just goes."""
        assert self.bury is not None
        if self.selector is not None and not self.selector.matches(Headers(record)):
            return True
        self._cost_left -= _MOVED_COST + len(record)
        burial = self.bury(seq, standing, record)
        self.dead_lettered += burial is Burial.MOVED
        self.discarded += burial is Burial.GIVEN_UP
        return burial is not Burial.STUCK

    def sweep(self) -> float:
        """Take what is past its deadline from the head of the queue, consumers or not.

        Returns:
            Seconds until it is to be done again.
        """
        self._cost_left = REMOVED_COST_MAX
        return self._sweep()

    def _sweep(self) -> float:
        seconds, waits = _LOOK_AGAIN_SECONDS_MAX, False
        for cursor in self.heads:
            self.sweeping = False
            seconds = min(seconds, self._sweep_head(cursor))
            waits |= self.sweeping
        self.sweeping = waits
        return seconds

    def _sweep_head(self, cursor: Cursor | LevelOrder) -> float:
        expiry = self.expiry
        assert expiry is not None
        while self._cost_left > 0:
            returned = bool(cursor.returned) and cursor.has_returned
            living = self._sweep_returned(cursor, expiry) if returned else self._sweep_unread(cursor, expiry)
            if self.sweeping:
                break  # it is on its way from disk, or behind a promise: then `dispatch` is called when it is there
            if living is not None:
                seconds = (expiry.deadline(living) - expiry.now_ms()) / 1000
                return min(seconds, _LOOK_AGAIN_SECONDS_MAX)
            if not returned and (not cursor.unread or not self._room):
                break
        else:
            self.sweeping = True
            self._go_on_later()
        return LOOK_AGAIN_SECONDS

    def _sweep_returned(self, cursor: Cursor | LevelOrder, expiry: Expiry) -> bytes | None:
        """Remove the first returned message if it is past its deadline; otherwise it is what is returned here."""
        again = cursor.take_returned()
        if again is None:
            self.sweeping = self.open
            return None
        seq, deliveries, record = again
        if expiry.deadline(record) > expiry.now_ms():
            cursor.spare(seq, deliveries, record)
            return record
        self._remove(Reason.EXPIRED, seq, [record], deliveries)
        return None

    def _sweep_unread(self, cursor: Cursor | LevelOrder, expiry: Expiry) -> bytes | None:
        """As `_sweep_returned`, of the messages that were never handed out, some at a time."""
        first, records = cursor.read(min(STRETCH_MAX, self._room))
        if not records:
            self.sweeping = cursor.unread > 0 and self._room > 0 and self.open
            return None
        begin, _ = expiry.living(records)
        self._remove(Reason.EXPIRED, first, records[:begin])
        if begin == len(records):
            return None
        cursor.read_again(first + begin)
        return records[begin]

    def _drop_oldest(self, bound: Bound) -> None:
        """Let the queue be no longer than it may: at the end of a step, so that consumers come first."""
        cursor = self.drops_from
        while (excess := bound.excess()) > 0:
            if self._cost_left <= 0:
                self._go_on_later()
                return
            if cursor.returned and cursor.has_returned:
                again = cursor.take_returned()
                if again is None:
                    return  # its bytes are on their way from disk
                self._remove(Reason.OVERFLOW, again[0], [again[2]], again[1])
            elif (aside := self._take_oldest_aside()) is not None:
                self._remove(Reason.OVERFLOW, aside[0], [aside[2]], aside[1])
            elif self.bury is None:
                skipped = cursor.skip(excess)
                if not skipped:
                    return  # what is left was returned, and the disk does not give it now
                self.dropped += skipped
            else:
                first, records = cursor.read(min(excess, STRETCH_MAX, self._room))
                if not records:
                    return
                self._remove(Reason.OVERFLOW, first, records)

    def remove_ahead(self, cursor: Cursor, seqs: list[int], records: list[bytes]) -> bool:
        """Messages that `cursor` has not come to have expired; `records` where they are to be buried (`DeepSweep`).

        Returns:
            False when one of them can't be moved now: it stays, and so do those behind it.
        """
        gone = seqs
        if self.bury is not None:
            standing = condemned(0, Reason.EXPIRED)
            moved = takewhile(lambda one: self._bury_one(one[0], standing, one[1]), zip(seqs, records, strict=True))
            gone = [seq for seq, _ in moved]
        self.expired += len(gone)
        cursor.settle_ahead(gone)
        return len(gone) == len(seqs)

    def _remove(self, reason: Reason, first: int, records: list[bytes], deliveries: int = 0) -> None:
        """These were read, are with nobody now, and are not to be delivered. What can't be moved now is condemned."""
        if reason is Reason.EXPIRED:
            self.expired += len(records)
        else:
            self.dropped += len(records)
        self._cost_left -= SETTLED_COST * len(records)
        settled = list(range(first, first + len(records)))
        if self.bury is not None:
            standing = condemned(deliveries, reason)
            moved = [self._bury_one(seq, standing, record) for seq, record in zip(settled, records, strict=True)]
            if not all(moved):
                left = [seq for seq, gone in zip(settled, moved, strict=True) if not gone]
                self.cursor.give_back(dict.fromkeys(left, standing))
                settled = [seq for seq, gone in zip(settled, moved, strict=True) if gone]
        if settled:
            self.cursor.settle(settled)
