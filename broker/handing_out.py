"""Handing out: consumers get the messages of one cursor, in order, by turns.

Consumers that can take something stand in `line`. The one in front gets as many messages as its credit allows, or a
share of what there is when others wait too: returned messages first, lowest number first, then unread ones in order.
Nothing here is awaited, and nothing but the delivery itself is done per message.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from segue.broker.consumer import Consumer
from segue.broker.dead_letters import Reason
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.levels import Levels
from segue.broker.line import Line
from segue.broker.look_ahead import LookAhead
from segue.broker.redelivery import Redelivery, deliveries_with, run_of_new
from segue.broker.removal import SETTLED_COST, STRETCH_MAX, Removal
from segue.broker.selector import Selector
from segue.storage.api import Cursor

__all__ = ["SHARE_MAX", "HandingOut"]

SHARE_MAX = 64
"""Most messages a consumer gets in one turn while others wait: fair, and still few turns."""
_STRETCH_MIN = 8
"""Messages that are read at a time where some may have expired, or are not selected. As long as those that are to be
delivered and those that are not take turns, most of a long read would be for nothing."""


class HandingOut(Removal):
    """The part of a dispatcher that delivers, where everybody may have every message.

    Attributes:
        line: the consumers, and those that can take something, in turn.
        delivered, acknowledged, returned: counts since the start.
        paused: nothing is delivered while True.
        in_flight_max: most messages out at a time, over all consumers.
        look_ahead: who may have which message; None where everybody may have any.
        redelivery: when messages come again that consumers return; None for at once.
    """

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        super().__init__(cursor)
        self.line = Line()
        self.in_flight_max = in_flight_max
        self.paused = False
        self.delivered = 0
        self.acknowledged = 0
        self.returned = 0
        self.look_ahead: LookAhead | None = None
        self.redelivery: Redelivery | None = None
        self._stretch = STRETCH_MAX

    @property
    def in_flight(self) -> int:
        """Messages that are out, in transactions included."""
        return self.delivered - self.acknowledged - self.returned

    def _hand_out(self) -> None:
        """Give consumers what they can take."""
        if self.look_ahead is not None:
            self._hand_out_by_choice(self.look_ahead)
            return
        line, ready = self.line, self.line.plain
        cursor = self.cursor
        choosy = self.expiry is not None or self.selector is not None
        by_runs = self.selector is not None or self.redelivery is not None
        while ready and not self.paused:
            consumer = ready[0]
            if not consumer.able:
                ready.popleft()
                consumer.waiting = False
                continue
            if choosy and self._cost_left <= 0:
                self._go_on_later()
                return
            if cursor.returned and cursor.has_returned:
                again = cursor.take_returned()
                if again is None:
                    return  # its bytes are on their way from disk; nothing newer may overtake it
                if self.expiry is not None and self.expiry.deadline(again[2]) <= self.expiry.now_ms():
                    self._remove(Reason.EXPIRED, again[0], [again[2]], again[1])
                    continue
                self._deliver_again(consumer, *again)
            elif not by_runs and (isinstance(cursor, Levels) or cursor.gaps is not None):
                if not self._deliver_across(cursor, consumer):
                    return
            else:
                first, records = cursor.read(self._share(consumer))
                if not records:
                    return
                if choosy:
                    first, records = self._wanted(first, records)
                    if not records:
                        continue
                if self.redelivery is not None and not (records := self._never_delivered(first, records)):
                    continue
                self.delivered += len(records)
                consumer.take(range(first, first + len(records)), records, first < cursor.maybe)
            if len(ready) > 1:
                if line.ranked:
                    line.step_back(consumer)
                else:
                    ready.rotate(-1)

    @abstractmethod
    def _hand_out_by_choice(self, look_ahead: LookAhead) -> None:
        """As `_hand_out`, where it matters who gets which."""

    def _deliver_across(self, cursor: Cursor | Levels, consumer: Consumer) -> bool:
        """Deliver some of several levels, or from between gaps. False when there is nothing now."""
        self._stretch = STRETCH_MAX  # nothing of it is read in vain
        seqs, records = cursor.read_across(self._share(consumer))
        if not records:
            return False
        maybe = seqs[0] < cursor.maybe
        if self.expiry is not None:
            seqs, records = self._living(self.expiry, seqs, records)
        if records:
            self.delivered += len(records)
            consumer.take(seqs, records, maybe)
        return True

    def _deliver_again(self, consumer: Consumer, seq: int, standing: int, record: bytes) -> None:
        self.delivered += 1
        deliveries = standing if self.redelivery is None else deliveries_with(record, standing)
        if deliveries:
            consumer.take_again(seq, record, deliveries + 1)
        else:  # it was set aside, and never delivered
            consumer.take((seq,), [record], self.cursor.may_repeat(seq))

    # -- which

    def _wanted(self, first: int, records: list[bytes]) -> tuple[int, list[bytes]]:
        """The first run of what was read that is to be delivered; what is before it goes, the rest is read again."""
        read = first
        if self.expiry is not None:
            begin, end = self.expiry.living(records)
            if begin:
                self._remove(Reason.EXPIRED, first, records[:begin])
            first, records = first + begin, records[begin:end]
        if self.selector is not None:
            begin, end = _selected(self.selector, records)
            if begin:
                self._cost_left -= SETTLED_COST * begin
                self.cursor.settle(list(range(first, first + begin)))
            first, records = first + begin, records[begin:end]
        self.cursor.read_again(first + len(records))
        self._stretch = min(STRETCH_MAX, max(_STRETCH_MIN, 2 * (first + len(records) - read)))
        return first, records

    def _living(self, expiry: Expiry, seqs: Sequence[int], records: list[bytes]) -> tuple[list[int], list[bytes]]:
        """Those of some messages that may be delivered; the others go."""
        now_ms, deadline = expiry.now_ms(), expiry.deadline
        living: list[int] = []
        of_living: list[bytes] = []
        for seq, record in zip(seqs, records, strict=True):
            if deadline(record) > now_ms:
                living.append(seq)
                of_living.append(record)
            else:
                self._remove(Reason.EXPIRED, seq, [record])
        return living, of_living

    def _never_delivered(self, first: int, records: list[bytes]) -> list[bytes]:
        """Of what was read, the first run that was never delivered; one that was is put as if it had just come back."""
        count = run_of_new(records)
        if count < len(records):
            self.cursor.read_again(first + max(1, count))
        if not count:
            self.cursor.spare(first, 0, records[0])
        return records[:count]

    # -- how much

    def _share(self, consumer: Consumer) -> int:
        room = 1 if consumer.counts_bytes else consumer.credit  # its window may be full after any message
        line = self.line
        waiting = len(line.plain)
        if waiting > 1:
            if line.ranked:
                waiting = sum(1 for other in line.plain if other.rank == consumer.rank)
            room = min(room, max(1, min(SHARE_MAX, -(-self.cursor.unread // waiting))))
        cursor = self.cursor
        if cursor.next < cursor.maybe:
            room = min(room, cursor.maybe - cursor.next)
        if self.expiry is not None or self.selector is not None:
            room = min(room, self._stretch)
        return min(room, self._room)

    @property
    def _room(self) -> int:
        """How many more messages may be holes of the cursor."""
        room = self.in_flight_max - self.delivered + self.acknowledged + self.returned - len(self.cursor.condemned)
        if self.look_ahead is not None:
            room -= len(self.look_ahead.held)
        return room if room > 0 else 0

    @property
    def _may_deliver(self) -> bool:
        """False while something that is out has to be settled first."""
        return True


def _selected(selector: Selector, records: list[bytes]) -> tuple[int, int]:
    """The first run of records that a selector matches, as a slice."""
    matches, size = selector.matches, len(records)
    begin = 0
    while begin < size and not matches(Headers(records[begin])):
        begin += 1
    end = begin + 1
    while end < size and matches(Headers(records[end])):
        end += 1
    return begin, min(end, size)
