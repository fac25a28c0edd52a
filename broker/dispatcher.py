"""The dispatcher: hands the messages of one cursor to competing consumers.

Theory of operation. Consumers that can take something stand in `line`, in turn. `dispatch` gives the one in front as
many messages as its credit allows (a share of what there is when others wait too), returned messages first, lowest
number first, then unread ones in order. It is called once for many messages: when a batch became durable, when
acknowledgements of a whole read have brought credit back, when an output buffer has drained, when a read from disk is
back. Nothing here is awaited, and nothing but the delivery itself is done per message.

Where not every consumer may have every message (selectors, groups), `look_ahead` says who gets which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from segue.broker.consumer import Consumer, Sink
from segue.broker.dead_letters import Reason, condemned
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.levels import ABOVE_ALL, Levels
from segue.broker.line import Line
from segue.broker.look_ahead import Held, LookAhead
from segue.broker.redelivery import Redelivery, deliveries_with, run_of_new
from segue.broker.removal import LOOK_AGAIN_SECONDS, REMOVED_COST_MAX, SETTLED_COST, STRETCH_MAX, Removal
from segue.broker.selector import Selector
from segue.storage.api import CONDEMNED, Cursor

__all__ = ["Dispatcher"]

_SHARE_MAX = 64
"""Most messages a consumer gets in one turn while others wait: fair, and still few turns."""
_STRETCH_MIN = 8
"""Messages that are read at a time where some may have expired, or are not selected. As long as those that are to be
delivered and those that are not take turns, most of a long read would be for nothing."""
_SET_ASIDE_COST = 1024
"""Of what one step may spend: to look at who may have a message takes some 5 µs for each selector."""


class Dispatcher(Removal):
    """One cursor and its consumers.

    Attributes:
        consumers: all of them.
        line: those that can take something, in turn.
        delivered, acknowledged, returned: counts since the start.
        paused: nothing is delivered while True.
        in_flight_max: most messages out at a time, over all consumers.
        delivery_limit: a message that comes back from so many deliveries is condemned; 0 for no limit.
        go_on_later: asked for another `dispatch` when there are more than one step may take.
        look_ahead: who may have which message; None where everybody may have any.
        redelivery: when messages come again that consumers return; None for at once.
    """

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        super().__init__(cursor)
        self.line = Line()
        self.consumers = self.line.consumers
        self.in_flight_max = in_flight_max
        self.paused = False
        self.delivered = 0
        self.acknowledged = 0
        self.returned = 0
        self.delivery_limit = 0
        self.go_on_later: Callable[[Dispatcher], None] | None = None
        self.look_ahead: LookAhead | None = None
        self.redelivery: Redelivery | None = None
        self._settled: Consumer | None = None
        self._stretch = STRETCH_MAX
        self._expired_aside: list[int] = []
        cursor.listener = self.dispatch

    @property
    def in_flight(self) -> int:
        """Messages that are out, in transactions included."""
        return self.delivered - self.acknowledged - self.returned

    @property
    def look_ahead_full(self) -> bool:
        """True when nothing more can be set aside: what is behind waits, though a consumer could have it."""
        look_ahead = self.look_ahead
        return look_ahead is not None and bool(look_ahead.held) and min(look_ahead.room, self._room) <= 0

    def draw_from(self, levels: Levels) -> None:
        """The queue has levels from now on, of which `cursor` is one; consumers, and what they hold, stay."""
        self.look_anew()
        if self.look_ahead is not None:
            self.look_ahead.draw_from(levels)
        levels.listener = self.dispatch
        self.cursor, self.heads, self.drops_from = levels, levels.each, levels.lowest_first

    def add(
        self,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        session_id: int,
        window_bytes: int = 0,
        selector: Selector | None = None,
        rank: int = 0,
        exclusive: bool = False,
    ) -> Consumer:
        """A new consumer. Its first deliveries come with the next `dispatch`. For the arguments, see `Consumer`."""
        consumer = Consumer(
            self,
            sink,
            prefetch=prefetch,
            settles=settles,
            session_id=session_id,
            window_bytes=window_bytes,
            selector=selector,
            rank=rank,
            exclusive=exclusive,
        )
        self.cursor.out.append(consumer.unacknowledged)
        if self.look_ahead is not None:
            self.look_ahead.join(consumer)
        self.line.join(consumer)
        return consumer

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves; what it holds goes back to its place, and out again with the next `dispatch`."""
        consumer.open = False
        self.line.leave(consumer)
        remove_identical(self.cursor.out, consumer.unacknowledged)
        held = dict(consumer.unacknowledged)
        consumer.unacknowledged.clear()
        self.give_back(held)
        consumer.settle()
        if self.look_ahead is not None:
            self.look_ahead.leave(consumer)
            self._look_no_further(self.look_ahead)

    def begin_look_ahead(self, look_ahead: LookAhead) -> None:
        """From now on not everybody may have every message."""
        self.look_ahead = look_ahead
        self.line.resumed = look_ahead.resumed
        for consumer in self.consumers:
            look_ahead.join(consumer)

    def look_anew(self) -> None:
        """Put back what is set aside: what was known of it may no longer hold."""
        if self.look_ahead is not None:
            self.cursor.bring_back(self.look_ahead.clear())

    def set_single_active(self, single_active: bool) -> None:
        """Whether one consumer at a time is served, and the others stand by."""
        if self.line.set_single_active(single_active):
            self._go_on_later()  # who stood by may take something now

    def close(self) -> None:
        """The cursor is about to be deleted: nothing is delivered any more, and nothing comes back to it."""
        self.open = False
        self.paused = True
        self.sweeping = False
        self.bound = None
        if self.look_ahead is not None:
            self.look_ahead.clear()

    def settle(self, consumer: Consumer, seqs: list[int]) -> None:
        """Messages that this consumer held are done."""
        if self.open:
            self.acknowledged += len(seqs)
            self.cursor.settle(seqs)
            consumer.grant(seqs)
            if self.look_ahead is not None:
                self.look_ahead.done(seqs)
                self._settled = consumer
            self.line.queue_up(consumer)
            self.dispatch()

    def give_back(self, messages: dict[int, int], consumer: Consumer | None = None) -> None:
        """Messages (sequence number → deliveries) go back to their places, and out again with the next `dispatch`.

        Ordering: whoever gives back what belongs together does so before he dispatches; then the lowest goes out first.
        """
        if messages and self.open:
            if self.delivery_limit:
                messages = self._judge(messages)
            self.returned += len(messages)
            self.cursor.give_back(messages)
            if self.look_ahead is not None:
                self.look_ahead.done(messages)
            if consumer is not None:
                consumer.grant(list(messages))
                self.line.queue_up(consumer)

    def reject(self, messages: dict[int, int], consumer: Consumer, delay_ms: int | None = None) -> None:
        """As `give_back`, of what a consumer returns by its own will: it may be put off, see redelivery.py."""
        if self.redelivery is not None and self.open:
            messages = self.redelivery.put_off(messages, delay_ms, self.delivery_limit)
        self.give_back(messages, consumer)

    def condemn(self, messages: dict[int, int], reason: Reason, consumer: Consumer) -> None:
        """As `give_back`, but they are not to be delivered again: they become dead letters with the next `dispatch`."""
        if self.bury is None:
            self.discarded += len(messages) if self.open else 0
            self.settle(consumer, list(messages))
            return
        self.give_back({seq: condemned(deliveries, reason) for seq, deliveries in messages.items()}, consumer)

    def queue_up(self, consumer: Consumer) -> None:
        """A consumer may be able to take something: the next `dispatch` looks at it."""
        self.line.queue_up(consumer)

    def dispatch(self) -> None:
        """Deliver what can be delivered now."""
        self._cost_left = REMOVED_COST_MAX
        if self.cursor.condemned:
            self._bury()
        if self.sweeping:
            self._sweep()
        if self._expired_aside:
            self._sweep_aside()
        self._hand_out()
        if self.bound is not None:
            self._drop_oldest(self.bound)

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

    def _hand_out_by_choice(self, look_ahead: LookAhead) -> None:
        """As `_hand_out`, where it matters who gets which."""
        while self.look_ahead is look_ahead:
            if not self._put_back(look_ahead) or self.paused:
                return
            while look_ahead.held and self._serve_aside(look_ahead, self.cursor.unread_place):
                pass
            if self.look_ahead is not look_ahead or self._serve_new(look_ahead):
                continue
            # When nothing more can be set aside, what is to come first waits until something has gone.
            if self.look_ahead_full and self._serve_aside(look_ahead, ABOVE_ALL):
                continue
            if look_ahead.crowded and not look_ahead.takes_back:
                return
            if not any(head.returned and head.has_returned for head in self.heads):
                return
        self._hand_out()  # a connection that failed has taken the last selector with it

    def _put_back(self, look_ahead: LookAhead) -> bool:
        """Let the look-ahead have what has come back. False when the bytes of some are on their way from disk.

        That is of all levels: what waits of a group must not overtake those of its messages that have come back,
        whatever there is to be read of a higher level.
        """
        look_ahead.crowded = False
        for head in self.heads:
            while head.returned and head.has_returned:
                again = head.take_returned()
                if again is None:
                    return False
                if not look_ahead.put_back(*again):
                    head.spare(*again)
                    look_ahead.crowded = True
                    break
        return True

    def _never_delivered(self, first: int, records: list[bytes]) -> list[bytes]:
        """Of what was read, the first run that was never delivered; one that was is put as if it had just come back."""
        count = run_of_new(records)
        if count < len(records):
            self.cursor.read_again(first + max(1, count))
        if not count:
            self.cursor.spare(first, 0, records[0])
        return records[:count]

    def _serve_aside(self, look_ahead: LookAhead, before: int) -> bool:
        """Give everybody a share of what was set aside, up to a place. False when nobody could have any."""
        line, settled, self._settled = self.line, self._settled, None
        if line.ranked:
            return self._serve_each(look_ahead, line.fronts({}), before) or self._serve_each(
                look_ahead, look_ahead.take_resumed(), before
            )
        # Who has just settled something comes first: so his groups go on with him.
        first = [] if settled is None else [settled]
        return self._serve_each(look_ahead, [*first, *look_ahead.take_resumed(), *line.fronts({})], before)

    def _serve_each(self, look_ahead: LookAhead, consumers: list[Consumer], before: int) -> bool:
        served = False
        for consumer in consumers:
            if not consumer.waiting:
                continue  # he has gone, or stands by for one that is served alone
            if (room := min(consumer.room, _SHARE_MAX)) and (taken := look_ahead.take(consumer, room, before)):
                served = True
                self._deliver_aside(consumer, taken)
                self.line.step_back(consumer)
        return served

    def _deliver_aside(self, consumer: Consumer, taken: list[Held]) -> None:
        expiry = self.expiry
        if expiry is None and not any(held.redelivered for held in taken):
            self.delivered += len(taken)
            consumer.take([held.seq for held in taken], [held.record for held in taken], False)
            return
        for held in taken:
            seq, record, standing = held.seq, held.record, held.standing
            if not consumer.open:
                self._take_back(seq, standing)
            elif expiry is not None and expiry.deadline(record) <= expiry.now_ms():
                self._remove(Reason.EXPIRED, seq, [record], standing)
                self._forget_out(seq)
            elif held.redelivered:
                self._deliver_again(consumer, seq, standing, record)
            else:
                self.delivered += 1
                consumer.take((seq,), [record], False)

    def _serve_new(self, look_ahead: LookAhead) -> bool:
        """Read on, and give what was read to whom it may concern. False when there is no more to be done now."""
        cursor, line = self.cursor, self.line
        most = min(STRETCH_MAX, look_ahead.room, self._room)
        if cursor.next < cursor.maybe:
            most = min(most, cursor.maybe - cursor.next)
        room = min(look_ahead.reach(line.room(min(most, cursor.unread))), most)
        if room <= 0 or not cursor.unread or not self._may_deliver:
            return False
        if self._cost_left <= 0:
            self._go_on_later()
            return False
        cost = _SET_ASIDE_COST * look_ahead.selectors
        first, records = cursor.read(min(room, 1 + self._cost_left // cost))
        if not records:
            return False
        if self.expiry is not None:
            first, records = self._wanted(first, records)
        if self.redelivery is not None and records and not (records := self._never_delivered(first, records)):
            return True
        self._cost_left -= cost * len(records)
        maybe = first < cursor.maybe
        for consumer, seqs, of_consumer in look_ahead.distribute(first, records, line, redelivered=maybe):
            if consumer.open:
                self.delivered += len(seqs)
                consumer.take(seqs, of_consumer, maybe)
                line.queue_up(consumer)  # with a window for bytes, he may have room again
            else:
                for seq in seqs:
                    self._take_back(seq, 0)
        return True

    def _take_back(self, seq: int, standing: int) -> None:
        """The consumer that was to get it has gone: the fault of a front-end that ended another's connection."""
        self.cursor.spare(seq, standing)
        self._forget_out(seq)

    def _forget_out(self, seq: int) -> None:
        if self.look_ahead is not None:
            self.look_ahead.done([seq])

    def _look_no_further(self, look_ahead: LookAhead) -> None:
        """End the look-ahead when everybody may have everything again."""
        if not look_ahead.grouped and not look_ahead.selective:
            self.look_anew()
            self.look_ahead = self.line.resumed = None

    # -- how much

    def _share(self, consumer: Consumer) -> int:
        room = 1 if consumer.counts_bytes else consumer.credit  # its window may be full after any message
        line = self.line
        waiting = len(line.plain)
        if waiting > 1:
            if line.ranked:
                waiting = sum(1 for other in line.plain if other.rank == consumer.rank)
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
        room = self.in_flight_max - self.delivered + self.acknowledged + self.returned - len(self.cursor.condemned)
        if self.look_ahead is not None:
            room -= len(self.look_ahead.held)
        return room if room > 0 else 0

    @property
    def _may_deliver(self) -> bool:
        """False while something that is out has to be settled first."""
        return True

    def _judge(self, messages: Mapping[int, int]) -> dict[int, int]:
        """Condemn what was delivered too often."""
        limit = self.delivery_limit
        return {
            seq: condemned(standing, Reason.DELIVERY_LIMIT) if limit <= standing < CONDEMNED else standing
            for seq, standing in messages.items()
        }

    def judge_returned(self) -> None:
        """After a start, when what was with a consumer at the end has come back, and when there is a new limit."""
        self.look_anew()
        judged = self._judge(self.cursor.returned)
        self.cursor.condemn_returned({seq: s for seq, s in judged.items() if s != self.cursor.returned[seq]})

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

    def sweep(self) -> float:
        """See `Removal`; what is set aside stands in no order of deadlines, so all of it is looked at."""
        seconds = super().sweep()
        expiry, look_ahead = self.expiry, self.look_ahead
        if expiry is None or look_ahead is None or not look_ahead.held:
            return seconds
        now_ms = expiry.now_ms()
        self._expired_aside = look_ahead.places_of(lambda record: expiry.deadline(record) <= now_ms)
        self._sweep_aside()
        return min(seconds, LOOK_AGAIN_SECONDS)

    def _sweep_aside(self) -> None:
        """Remove what the last sweep has found past its deadline, as many as one step may take."""
        places, expiry, look_ahead = self._expired_aside, self.expiry, self.look_ahead
        if expiry is None or look_ahead is None:
            places.clear()  # they have been put back, and are found where they are
        while places:
            if self._cost_left <= 0:
                self._go_on_later()
                return
            assert look_ahead is not None
            taken = look_ahead.take_at(places.pop())
            if taken is not None:
                self._remove(Reason.EXPIRED, taken.seq, [taken.record], taken.standing)

    def _take_oldest_aside(self) -> tuple[int, int, bytes] | None:
        if self.look_ahead is None:
            return None
        taken = self.look_ahead.take_oldest(self.drops_from.unread_place)
        return None if taken is None else (taken.seq, taken.standing, taken.record)

    def _go_on_later(self) -> None:
        if self.go_on_later is not None:
            self.go_on_later(self)

    def _deliver_again(self, consumer: Consumer, seq: int, standing: int, record: bytes) -> None:
        self.delivered += 1
        deliveries = standing if self.redelivery is None else deliveries_with(record, standing)
        if deliveries:
            consumer.take_again(seq, record, deliveries + 1)
        else:  # it was set aside, and never delivered
            consumer.take((seq,), [record], self.cursor.may_repeat(seq))


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
