"""The dispatcher: hands the messages of one cursor to competing consumers.

Theory of operation. Consumers that can take something stand in `_ready`, in turn. `dispatch` gives the one in front
as many messages as its credit allows (a share of what there is when others wait too), returned messages first, lowest
number first, then unread ones in order. It is called once for many messages: when a batch became durable, when
acknowledgements of a whole read have brought credit back, when an output buffer has drained, when a read from disk is
back. Nothing here is awaited, and nothing but the delivery itself is done per message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from segue.broker.consumer import Consumer, Sink
from segue.broker.dead_letters import Reason, condemned
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.selector import Selector
from segue.storage.api import CONDEMNED, Cursor

__all__ = ["Dispatcher"]

_SHARE_MAX = 64
"""Most messages a consumer gets in one turn while others wait: fair, and still few turns."""
_BURIALS_MAX = 256
"""Most dead letters that one `dispatch` moves: each is a message anew."""
_SWEEPS_MAX = 4
_SWEEP_MESSAGES = 512
_PASSED_MAX = 4096
"""Messages that are passed over in one step, because they have expired or are not selected."""
_LOOK_AGAIN_MS = 1000
_LOOK_AGAIN_MAX_MS = 60_000
"""Though the first message lives longer: clocks are set, and messages settled."""


class Dispatcher:
    """One cursor and its consumers.

    Attributes:
        delivered, acknowledged, returned: counts since the start.
        open: False once the cursor is deleted: what is still out then is nobody's business any more.
        paused: nothing is delivered while True.
        in_flight_max: most messages out at a time, over all consumers.
        delivery_limit: a message that comes back from so many deliveries is condemned; 0 for no limit.
        bury: moves a condemned message (number, standing, record) within the step, and says False when that can't be
            done now; None: it is given up.
        go_on_later: asked for another `dispatch` when there are more than one step may take.
        expiry: the deadlines of messages; None where there are none.
        sweeping: `sweep` waits to go on.
        dead_lettered, discarded: condemned messages since the start, moved or given up.
        expired: messages since the start that were past their deadline.
        selector: what is delivered at all; the rest is settled when it is reached. None for everything.
        messages_max: most that may wait, when the oldest go for newer ones; None for no such limit.
        dropped: messages since the start that went so.
    """

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        self.cursor = cursor
        self.consumers: list[Consumer] = []
        self.in_flight_max = in_flight_max
        self.open = True
        self.paused = False
        self.delivered = 0
        self.acknowledged = 0
        self.returned = 0
        self.delivery_limit = 0
        self.bury: Callable[[int, int, bytes], bool] | None = None
        self.go_on_later: Callable[[Dispatcher], None] | None = None
        self.expiry: Expiry | None = None
        self.sweeping = False
        self.dead_lettered = 0
        self.discarded = 0
        self.expired = 0
        self.selector: Selector | None = None
        self.messages_max: int | None = None
        self.dropped = 0
        self._ready: deque[Consumer] = deque()
        cursor.listener = self.dispatch

    @property
    def in_flight(self) -> int:
        """Messages that are out, in transactions included."""
        return self.delivered - self.acknowledged - self.returned

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
        if self.cursor.condemned:
            self._bury()
        if self.sweeping:
            self.sweep()
        self._hand_out()
        if self.messages_max is not None:
            self._drop_oldest(self.messages_max)

    def _hand_out(self) -> None:
        """Give consumers what they can take."""
        ready = self._ready
        cursor = self.cursor
        passed = 0
        while ready and not self.paused:
            consumer = ready[0]
            if not consumer.able:
                ready.popleft()
                consumer.waiting = False
                continue
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
                if self.expiry is not None or self.selector is not None:
                    read = first
                    first, records = self._wanted(first, records)
                    passed += first - read
                    if not records:
                        if passed > _PASSED_MAX and self.go_on_later is not None:
                            self.go_on_later(self)
                            return
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
        return min(room, max(0, self.in_flight_max - self.in_flight))

    def _judge(self, messages: dict[int, int]) -> dict[int, int]:
        """Condemn what was delivered too often."""
        limit = self.delivery_limit
        return {
            seq: condemned(standing, Reason.DELIVERY_LIMIT) if limit <= standing < CONDEMNED else standing
            for seq, standing in messages.items()
        }

    def _bury(self) -> None:
        """Make dead letters of condemned messages, as many as one step may take."""
        cursor, bury = self.cursor, self.bury
        for _ in range(_BURIALS_MAX):
            taken = cursor.take_condemned()
            if taken is None:
                return
            seq, standing, record = taken
            if bury is None:
                self.discarded += 1
            elif bury(seq, standing, record):
                self.dead_lettered += 1
            else:
                cursor.spare(seq, standing)
                return
            cursor.settle([seq])
        if self.go_on_later is not None:
            self.go_on_later(self)

    def sweep(self) -> int:
        """Take what is past its deadline from the head of the queue, consumers or not.

        Returns:
            When to look again, milliseconds since 1970.
        """
        expiry, cursor = self.expiry, self.cursor
        assert expiry is not None
        self.sweeping = False
        for _ in range(_SWEEPS_MAX):
            first, records = cursor.read(_SWEEP_MESSAGES)
            if not records:
                # Empty, or on its way from disk or behind a promise: then `dispatch` is called when it is there.
                self.sweeping = cursor.unread > 0 and self.open
                return expiry.now_ms() + _LOOK_AGAIN_MS
            begin, _ = expiry.living(records)
            self._remove(Reason.EXPIRED, first, records[:begin])
            if begin < len(records):
                cursor.read_again(first + begin)
                return min(expiry.deadline(records[begin]), expiry.now_ms() + _LOOK_AGAIN_MAX_MS)
        self.sweeping = True
        if self.go_on_later is not None:
            self.go_on_later(self)
        return expiry.now_ms() + _LOOK_AGAIN_MS

    def _wanted(self, first: int, records: list[bytes]) -> tuple[int, list[bytes]]:
        """The first run of what was read that is to be delivered; what is before it goes, the rest is read again."""
        if self.expiry is not None:
            begin, end = self.expiry.living(records)
            if begin:
                self._remove(Reason.EXPIRED, first, records[:begin])
            first, records = first + begin, records[begin:end]
        if self.selector is not None:
            begin, end = _selected(self.selector, records)
            if begin:
                self.cursor.settle(list(range(first, first + begin)))
            first, records = first + begin, records[begin:end]
        self.cursor.read_again(first + len(records))
        return first, records

    def _drop_oldest(self, messages_max: int) -> None:
        """Let the queue be no longer than it may: at the end of a step, so that consumers come first."""
        cursor = self.cursor
        for _ in range(_SWEEPS_MAX):
            excess = cursor.ready - messages_max
            if excess <= 0:
                return
            if cursor.returned and cursor.has_returned:
                again = cursor.take_returned()
                if again is None:
                    return  # its bytes are on their way from disk
                self._remove(Reason.OVERFLOW, again[0], [again[2]], again[1])
            elif self.bury is None:
                self.dropped += cursor.skip_to(min(cursor.next + excess, cursor.log.durable))
            else:
                first, records = cursor.read(min(excess, _SWEEP_MESSAGES))
                if not records:
                    return
                self._remove(Reason.OVERFLOW, first, records)
        if self.go_on_later is not None:
            self.go_on_later(self)

    def _remove(self, reason: Reason, first: int, records: list[bytes], deliveries: int = 0) -> None:
        """These were read, are with nobody now, and are not to be delivered."""
        if reason is Reason.EXPIRED:
            self.expired += len(records)
        else:
            self.dropped += len(records)
        cursor, bury = self.cursor, self.bury
        settled = list(range(first, first + len(records)))
        if bury is not None:
            standing = condemned(deliveries, reason)
            left = [seq for seq, record in enumerate(records, first) if not bury(seq, standing, record)]
            if left:
                cursor.give_back(dict.fromkeys(left, standing))
                settled = [seq for seq in settled if seq not in set(left)]
        if settled:
            cursor.settle(settled)

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
