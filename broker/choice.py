"""Choice: consumers get the messages of one cursor where not everybody may have every one: by selectors, by groups.

`LookAhead` says who gets which, and what is set aside until somebody comes who may have it. Here it is given what comes
from the cursor, new or returned, and what it answers is delivered.
"""

from __future__ import annotations

from segue.broker.consumer import Consumer
from segue.broker.dead_letters import Reason
from segue.broker.handing_out import SHARE_MAX, HandingOut
from segue.broker.levels import ABOVE_ALL
from segue.broker.look_ahead import Held, LookAhead
from segue.broker.removal import LOOK_AGAIN_SECONDS, STRETCH_MAX
from segue.storage.api import Cursor

__all__ = ["Choice"]

_SET_ASIDE_COST = 1024
"""Of what one step may spend: to look at who may have a message takes some 5 µs for each selector."""


class Choice(HandingOut):
    """The part of a dispatcher that delivers where it matters who gets which."""

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        super().__init__(cursor, in_flight_max)
        self._settled: Consumer | None = None
        self._expired_aside: list[int] = []

    @property
    def look_ahead_full(self) -> bool:
        """True when nothing more can be set aside: what is behind waits, though a consumer could have it."""
        look_ahead = self.look_ahead
        return look_ahead is not None and bool(look_ahead.held) and min(look_ahead.room, self._room) <= 0

    def begin_look_ahead(self, look_ahead: LookAhead) -> None:
        """From now on not everybody may have every message."""
        self.look_ahead = look_ahead
        self.line.resumed = look_ahead.resumed
        for consumer in self.line.consumers:
            look_ahead.join(consumer)

    def look_anew(self) -> None:
        """Put back what is set aside: what was known of it may no longer hold."""
        if self.look_ahead is not None:
            self.cursor.bring_back(self.look_ahead.clear())

    def _look_no_further(self, look_ahead: LookAhead) -> None:
        """End the look-ahead when everybody may have everything again."""
        if not look_ahead.grouped and not look_ahead.selective:
            self.look_anew()
            self.look_ahead = self.line.resumed = None

    # -- handing out

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
            if (room := min(consumer.room, SHARE_MAX)) and (taken := look_ahead.take(consumer, room, before)):
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

    # -- removal

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
