"""The dispatcher: hands the messages of one cursor to competing consumers.

Theory of operation. Consumers that can take something stand in `_ready`, in turn. `dispatch` gives the one in front
as many messages as its credit allows (a share of what there is when others wait too), returned messages first, lowest
number first, then unread ones in order. It is called once for many messages: when a batch became durable, when
acknowledgements of a whole read have brought credit back, when an output buffer has drained, when a read from disk is
back. Nothing here is awaited, and nothing but the delivery itself is done per message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from segue.broker.bound import Bound
from segue.broker.consumer import Consumer, Sink
from segue.broker.dead_letters import Burial, Reason, condemned
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.levels import LevelOrder, Levels
from segue.broker.selector import Selector
from segue.storage.api import CONDEMNED, Cursor

__all__ = ["Dispatcher"]

_SHARE_MAX = 64
"""Most messages a consumer gets in one turn while others wait: fair, and still few turns."""
_REMOVED_COST_MAX = 1 << 20
_SETTLED_COST = 512
_MOVED_COST = 4096
"""What one step may remove: 2048 messages that are given up, or some 250 small ones that are moved, for each of these
is a message anew; of large ones as many as have that size in octets."""
_STRETCH_MIN = 8
_STRETCH_MAX = 512
"""Messages that are read at a time where some may have expired, or are not selected. As long as those that are to be
delivered and those that are not take turns, most of a long read would be for nothing."""
_LOOK_AGAIN_SECONDS = 1.0
_LOOK_AGAIN_SECONDS_MAX = 60.0
"""Though the first message lives longer: clocks are set, and messages settled."""


class Dispatcher:
    """One cursor and its consumers.

    Attributes:
        heads: what is drawn from, each part that is in order by itself: where the oldest messages stand.
        drops_from: what is drawn from, in the order in which messages go for newer ones.
        delivered, acknowledged, returned: counts since the start.
        open: False once the cursor is deleted: what is still out then is nobody's business any more.
        paused: nothing is delivered while True.
        in_flight_max: most messages out at a time, over all consumers.
        delivery_limit: a message that comes back from so many deliveries is condemned; 0 for no limit.
        bury: moves a condemned message (number, standing, record) within the step; None: it is given up.
        go_on_later: asked for another `dispatch` when there are more than one step may take.
        expiry: the deadlines of messages; None where there are none.
        sweeping: `sweep` waits to go on.
        dead_lettered, discarded: condemned messages since the start, moved or given up.
        expired: messages since the start that were past their deadline.
        selector: what is delivered at all; the rest is settled when it is reached. None for everything.
        bound: what may wait, when the oldest go for newer ones; None for no such limit.
        dropped: messages since the start that went so.
    """

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        self.cursor: Cursor | Levels = cursor
        self.heads: Sequence[Cursor | LevelOrder] = (cursor,)
        self.drops_from: Cursor | LevelOrder = cursor
        self.consumers: list[Consumer] = []
        self.in_flight_max = in_flight_max
        self.open = True
        self.paused = False
        self.delivered = 0
        self.acknowledged = 0
        self.returned = 0
        self.delivery_limit = 0
        self.bury: Callable[[int, int, bytes], Burial] | None = None
        self.go_on_later: Callable[[Dispatcher], None] | None = None
        self.expiry: Expiry | None = None
        self.sweeping = False
        self.dead_lettered = 0
        self.discarded = 0
        self.expired = 0
        self.selector: Selector | None = None
        self.bound: Bound | None = None
        self.dropped = 0
        self._ready: deque[Consumer] = deque()
        self._cost_left = 0
        self._stretch = _STRETCH_MAX
        cursor.listener = self.dispatch

    @property
    def in_flight(self) -> int:
        """Messages that are out, in transactions included."""
        return self.delivered - self.acknowledged - self.returned

    def draw_from(self, levels: Levels) -> None:
        """The queue has levels from now on, of which `cursor` is one; consumers, and what they hold, stay."""
        levels.listener = self.dispatch
        self.cursor, self.heads, self.drops_from = levels, levels.each, levels.lowest_first

    def add(self, sink: Sink, *, prefetch: int, settles: bool, session_id: int, window_bytes: int = 0) -> Consumer:
        """A new consumer. Its first deliveries come with the next `dispatch`."""
        consumer = Consumer(
            self, sink, prefetch=prefetch, settles=settles, session_id=session_id, window_bytes=window_bytes
        )
        self.consumers.append(consumer)
        self.cursor.out.append(consumer.unacknowledged)
        return consumer

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves; what it holds goes back to its place, and out again with the next `dispatch`."""
        consumer.open = False
        self.consumers.remove(consumer)
        if consumer.waiting:
            self._ready.remove(consumer)
            consumer.waiting = False
        remove_identical(self.cursor.out, consumer.unacknowledged)
        held = dict(consumer.unacknowledged)
        consumer.unacknowledged.clear()
        self.give_back(held)
        consumer.settle()

    def close(self) -> None:
        """The cursor is about to be deleted: nothing is delivered any more, and nothing comes back to it."""
        self.open = False
        self.paused = True
        self.sweeping = False
        self.bound = None

    def settle(self, consumer: Consumer, seqs: list[int]) -> None:
        """Messages that this consumer held are done."""
        if self.open:
            self.acknowledged += len(seqs)
            self.cursor.settle(seqs)
            consumer.grant(seqs)
            self.resume(consumer)

    def give_back(self, messages: dict[int, int], consumer: Consumer | None = None) -> None:
        """Messages (sequence number → deliveries) go back to their places, and out again with the next `dispatch`.

        Ordering: whoever gives back what belongs together does so before he dispatches; then the lowest goes out first.
        """
        if messages and self.open:
            if self.delivery_limit:
                messages = self._judge(messages)
            self.returned += len(messages)
            self.cursor.give_back(messages)
            if consumer is not None:
                consumer.grant(list(messages))
                self.queue_up(consumer)

    def condemn(self, messages: dict[int, int], reason: Reason, consumer: Consumer) -> None:
        """As `give_back`, but they are not to be delivered again: they become dead letters with the next `dispatch`."""
        if self.bury is None:
            self.discarded += len(messages) if self.open else 0
            self.settle(consumer, list(messages))
            return
        self.give_back({seq: condemned(deliveries, reason) for seq, deliveries in messages.items()}, consumer)

    def queue_up(self, consumer: Consumer) -> None:
        """A consumer may be able to take something: let it stand in line."""
        if not consumer.waiting and consumer.able:
            consumer.waiting = True
            self._ready.append(consumer)

    def resume(self, consumer: Consumer) -> None:
        """A consumer has credit or room again."""
        self.queue_up(consumer)
        self.dispatch()

    def dispatch(self) -> None:
        """Deliver what can be delivered now."""
        self._cost_left = _REMOVED_COST_MAX
        if self.cursor.condemned:
            self._bury()
        if self.sweeping:
            self._sweep()
        self._hand_out()
        if self.bound is not None:
            self._drop_oldest(self.bound)

    def _hand_out(self) -> None:
        """Give consumers what they can take."""
        ready = self._ready
        cursor = self.cursor
        choosy = self.expiry is not None or self.selector is not None
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
            else:
                first, records = cursor.read(self._share(consumer))
                if not records:
                    return
                if choosy:
                    first, records = self._wanted(first, records)
                    if not records:
                        continue
                self.delivered += len(records)
                consumer.take(first, records, first < cursor.maybe)
            if len(ready) > 1:
                ready.rotate(-1)

    def _share(self, consumer: Consumer) -> int:
        room = 1 if consumer.counts_bytes else consumer.credit  # its window may be full after any message
        waiting = len(self._ready)
        if waiting > 1:
            room = min(room, max(1, min(_SHARE_MAX, -(-self.cursor.unread // waiting))))
        cursor = self.cursor
        if cursor.next < cursor.maybe:
            room = min(room, cursor.maybe - cursor.next)
        if self.expiry is not None or self.selector is not None:
            room = min(room, self._stretch)
        return min(room, self._room)

    @property
    def _room(self) -> int:
        """How many more messages may be holes of the cursor."""
        return max(0, self.in_flight_max - self.in_flight - len(self.cursor.condemned))

    def _judge(self, messages: Mapping[int, int]) -> dict[int, int]:
        """Condemn what was delivered too often."""
        limit = self.delivery_limit
        return {
            seq: condemned(standing, Reason.DELIVERY_LIMIT) if limit <= standing < CONDEMNED else standing
            for seq, standing in messages.items()
        }

    def judge_returned(self) -> None:
        """After a start, when what was with a consumer at the end has come back, and when there is a new limit."""
        judged = self._judge(self.cursor.returned)
        self.cursor.condemn_returned({seq: s for seq, s in judged.items() if s != self.cursor.returned[seq]})

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
                cursor.spare(seq, standing)
                return
        self._go_on_later()

    def bury_at_hand(self) -> None:
        """The queue may be about to be deleted: what was condemned before is moved, but for what lies on disk."""
        left = -1
        while left != len(self.cursor.condemned):
            left = len(self.cursor.condemned)
            self._cost_left = _REMOVED_COST_MAX
            self._bury()

    def _bury_one(self, seq: int, standing: int, record: bytes) -> bool:
        """False when it has to stay."""
        assert self.bury is not None
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
        self._cost_left = _REMOVED_COST_MAX
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
        return _LOOK_AGAIN_SECONDS

    def _sweep_returned(self, cursor: Cursor | LevelOrder, expiry: Expiry) -> bytes | None:
        """Remove the first returned message if it is past its deadline; otherwise it is what is returned here."""
        again = cursor.take_returned()
        if again is None:
            self.sweeping = self.open
            return None
        seq, deliveries, record = again
        if expiry.deadline(record) > expiry.now_ms():
            cursor.spare(seq, deliveries)
            return record
        self._remove(Reason.EXPIRED, seq, [record], deliveries)
        return None

    def _sweep_unread(self, cursor: Cursor | LevelOrder, expiry: Expiry) -> bytes | None:
        """As `_sweep_returned`, of the messages that were never handed out, some at a time."""
        first, records = cursor.read(min(_STRETCH_MAX, self._room))
        if not records:
            self.sweeping = cursor.unread > 0 and self._room > 0 and self.open
            return None
        begin, _ = expiry.living(records)
        self._remove(Reason.EXPIRED, first, records[:begin])
        if begin == len(records):
            return None
        cursor.read_again(first + begin)
        return records[begin]

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
                self._cost_left -= _SETTLED_COST * begin
                self.cursor.settle(list(range(first, first + begin)))
            first, records = first + begin, records[begin:end]
        self.cursor.read_again(first + len(records))
        self._stretch = min(_STRETCH_MAX, max(_STRETCH_MIN, 2 * (first + len(records) - read)))
        return first, records

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
            elif self.bury is None:
                skipped = cursor.skip(excess)
                if not skipped:
                    return  # what is left was returned, and the disk does not give it now
                self.dropped += skipped
            else:
                first, records = cursor.read(min(excess, _STRETCH_MAX, self._room))
                if not records:
                    return
                self._remove(Reason.OVERFLOW, first, records)

    def _remove(self, reason: Reason, first: int, records: list[bytes], deliveries: int = 0) -> None:
        """These were read, are with nobody now, and are not to be delivered. What can't be moved now is condemned."""
        if reason is Reason.EXPIRED:
            self.expired += len(records)
        else:
            self.dropped += len(records)
        self._cost_left -= _SETTLED_COST * len(records)
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

    def _go_on_later(self) -> None:
        if self.go_on_later is not None:
            self.go_on_later(self)

    def _deliver_again(self, consumer: Consumer, seq: int, deliveries: int, record: bytes) -> None:
        self.delivered += 1
        consumer.take_again(seq, record, deliveries + 1)


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


def remove_identical(items: list[dict[int, int]], item: dict[int, int]) -> None:
    """Remove an object from a list by identity: equal dicts are not the same."""
    for index, other in enumerate(items):
        if other is item:
            del items[index]
            return
