"""Look-ahead: messages of a queue that not every consumer may have, set aside until one comes who may.

A consumer with a selector gets what it selects. The messages of a group (`JMSXGroupID`) go to one consumer at a time,
in their order: as long as something of a group is out, its next message goes to the same consumer or waits.

Theory of operation. Messages are read from the cursor in order. One that nobody can take now is *set aside*: a hole of
the cursor, like one that was returned, but known here by who may have it, so that nothing is looked through. There is
a *lane*, a heap of places, for each selector that consumers have, and one of his own for each consumer. Of a
group only the first waiting message stands in a lane: in all that select it while nothing of the group is out, else in
its owner's own. Places are not searched for when they become void; whoever takes one from a lane looks whether it
still holds. A *place* says when a message is due: its sequence number, or that behind its priority (`Cursor.place`).

How far is looked ahead is bounded, by count and by bytes. At the bound nothing more is read: what is behind waits until
something of what is set aside has gone. That is a state that operators see (`Dispatcher.look_ahead_full`). What comes
back, from consumers or after a crash, may stand before what is set aside, and goes before it: then what would go last
is left to the cursor (`crowded`), in so far as there is no room for both.

Invariants: a message is in `held` exactly if it is set aside: then it is in `cursor.returned`, and in no one's hands. A
group is in `groups` exactly while something of it is out or set aside. `owner` is set exactly while something is out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from segue.broker.groups import closes_group, group_of
from segue.broker.headers import Headers
from segue.broker.levels import ABOVE_ALL, SEQ_BITS, SEQ_MASK, Levels
from segue.broker.pressure import Pressure
from segue.storage.api import Cursor, deliveries_of

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.line import Line
    from segue.broker.selector import Selector

__all__ = ["Group", "Held", "LookAhead"]

_HELD_BYTES_MORE: Final = 300
"""What a message that is set aside takes beside its record: its places in dictionaries and heaps."""
_PREFERRED_MAX: Final = 4096
"""Groups of which nothing is there, whose last consumer is remembered: it gets the next message if it can take it."""
_LANE_MAX: Final = 4096
"""Places in a lane, beside twice as many as messages are set aside, before the void ones are looked for."""
_YIELD_MESSAGES: Final = 1024
"""Over so many messages is looked at how many find somebody who takes them."""


class Group:
    """A group of which something is there.

    Attributes:
        owner: who has what is out; None when nothing is.
        out: how many messages are out.
        waiting: a heap of those that are set aside; there may be void ones among them, but not in front.
        closed: the last message that went out, behind which nothing waited, said so.
    """

    __slots__ = ("closed", "name", "out", "owner", "waiting")

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.owner: Consumer | None = None
        self.out = 0
        self.waiting: list[int] = []
        self.closed = False


class Held:
    """A message that is set aside. No named tuple: to make one takes half as long again.

    Attributes:
        seq: its number.
        record: itself.
        standing: its deliveries since it is in this place.
        group: that it belongs to.
        redelivered: it has been delivered, or may have been before a crash.
    """

    __slots__ = ("group", "record", "redelivered", "seq", "standing")

    def __init__(self, seq: int, record: bytes, standing: int, group: Group | None, redelivered: bool) -> None:
        self.seq = seq
        self.record = record
        self.standing = standing
        self.group = group
        self.redelivered = redelivered


class LookAhead:
    """See the module.

    Attributes:
        grouped: messages of this queue may have groups.
        cursor: where messages come from, and what knows them by number.
        held: what is set aside, by place.
        bytes: memory that it takes.
        groups: by name.
        crowded: some that have come back wait at the cursor until there is room; all of them behind what is set aside.
        resumed: consumers that may have room since they were last looked at, or something that is only for them.
    """

    def __init__(self, cursor: Cursor | Levels, pressure: Pressure, messages_max: int, bytes_max: int) -> None:
        self.cursor = cursor
        self._pressure = pressure
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self.grouped = False
        self.held: dict[int, Held] = {}
        self.bytes = 0
        self.groups: dict[bytes, Group] = {}
        self.crowded = False
        self.resumed: dict[Consumer, None] = {}
        self._lanes: dict[Selector | None, list[int]] = {}
        self._users: dict[Selector | None, int] = {}  # of lanes
        self._own: dict[Consumer, list[int]] = {}
        self._out: dict[int, Group] = {}
        self._preferred: OrderedDict[bytes, Consumer] = OrderedDict()
        self._oldest: list[int] | None = None  # a heap, from when it is asked for, see `_turned`
        self._of_level: dict[int, list[int]] = {}  # rank → messages and bytes set aside, where there are levels
        self._looked = self._given = 1  # messages lately read while somebody had room, and those that somebody took
        self._ceiling = ABOVE_ALL  # above every place of what is set aside; as low as was needed
        self._told = 0  # of `bytes`, what is in the sum over all queues

    @property
    def room(self) -> int:
        """How many more messages may be set aside. What is set aside of other levels than the next one is no bound.

        Or messages that nobody wants would hold up more urgent ones.
        """
        if self.crowded:
            return 0
        held, size = len(self.held), self.bytes
        if self._levels is not None and held:
            held, size = self._of_level.get(self._levels.rank_at(self._levels.unread_place), (0, 0))
        return self._messages_max - held if size < self._bytes_now_max or not held else 0

    @property
    def takes_back(self) -> bool:
        """True when there is room for what comes back, wherever it stands."""
        return self.bytes < self._bytes_now_max or not self.held

    @property
    def _bytes_now_max(self) -> int:
        return self._pressure.ration(self._bytes_max, self._pressure.look_ahead_bytes)

    def draw_from(self, levels: Levels) -> None:
        """Messages come from these levels from now on; nothing is set aside."""
        assert not self.held
        self.cursor = levels

    @property
    def _levels(self) -> Levels | None:
        return self.cursor if isinstance(self.cursor, Levels) else None

    @property
    def selectors(self) -> int:
        """How many different ones consumers have, having none among them."""
        return len(self._lanes)

    @property
    def selective(self) -> bool:
        """True when some consumer has a selector."""
        return any(selector is not None for selector in self._lanes)

    # -- consumers

    def join(self, consumer: Consumer) -> None:
        """A consumer comes."""
        selector = consumer.selector
        self._own[consumer] = []
        self._users[selector] = self._users.get(selector, 0) + 1
        if selector not in self._lanes:
            lane = [
                place for place in self._offered() if selector is None or _selects(selector, self.held[place].record)
            ]
            heapify(lane)
            self._lanes[selector] = lane

    def leave(self, consumer: Consumer) -> None:
        """A consumer is gone; what was out with it has come back, but for what transactions hold."""
        selector = consumer.selector
        del self._own[consumer]
        self.resumed.pop(consumer, None)
        self._users[selector] -= 1
        if not self._users[selector]:
            del self._users[selector], self._lanes[selector]
        for name in [name for name, preferred in self._preferred.items() if preferred is consumer]:
            del self._preferred[name]

    # -- what comes from the cursor

    def distribute(
        self, first: int, records: list[bytes], line: Line, *, redelivered: bool
    ) -> Iterator[tuple[Consumer, list[int], list[bytes]]]:
        """Say who gets which of the messages that were read just now; the rest is set aside.

        Args:
            first: the number of the first of them.
            records: in order, without gaps.
            line: consumers that can take something, who comes first gets first.
            redelivered: they may have been delivered before a crash.
        """
        given: dict[Consumer, tuple[list[int], list[bytes]]] = {}
        rooms: dict[Consumer, int] = {}
        aside: list[Held] = []
        self._ceiling = ABOVE_ALL
        looked, fronts = 0, line.fronts(rooms)
        grouped, groups, base = self.grouped, self.groups, self.cursor.place(first) - first
        for seq, record in enumerate(records, first):
            group, consumer = None, None
            refused: list[Selector] = []
            if grouped and (name := group_of(record)) is not None:
                group = groups.get(name) or self._new_group(name)
            # Mostly something of its group waits, or is out with one who has no room.
            if group is None or not (group.waiting or (group.owner is not None and not group.owner.waiting)):
                consumer = self._taker(group, record, fronts, rooms, refused)
            if consumer is None:
                held = Held(seq, record, 0, group, redelivered)
                aside.append(held)
                self._hold(base + seq, held, refused)
                continue
            looked = seq - first + 1
            rooms[consumer] -= 1
            if consumer in fronts:
                line.step_back(consumer)
                fronts = line.fronts(rooms)
            if group is not None:
                self._goes_out(seq, group, consumer, record)
            seqs, of_consumer = given.setdefault(consumer, ([], []))
            seqs.append(seq)
            of_consumer.append(record)
        if aside:
            self.cursor.set_aside(dict.fromkeys([held.seq for held in aside], 0))
            self._count(aside, 1)
        self._note_yield(len(records) if fronts else looked, len(records) - len(aside))
        for consumer, (seqs, of_consumer) in given.items():
            yield consumer, seqs, of_consumer

    def reach(self, room: int) -> int:
        """How many messages are to be read so that consumers with so much room are served, as things went lately.

        Who reads only as many as there is room for has to read again for those that are set aside, and again.
        """
        return room * self._looked // self._given

    def put_back(self, seq: int, standing: int, record: bytes) -> bool:
        """A message has come back, and `Cursor.take_returned` has given it. False when it is to stay there for now."""
        place = self.cursor.place(seq)
        if self.takes_back:
            self._ceiling = ABOVE_ALL
        else:
            if self._ceiling == ABOVE_ALL:
                self._ceiling = max(self.held) + 1
            if place >= self._ceiling:
                return False
        name = group_of(record) if self.grouped else None
        group = None if name is None else self.groups.get(name) or self._new_group(name)
        redelivered = standing > 0 or deliveries_of(record) > 0 or self.cursor.may_repeat(seq)
        held = Held(seq, record, standing, group, redelivered)
        self._hold(place, held)
        self.cursor.keep_aside(seq, standing)
        self._count([held], 1)
        if self.bytes > 2 * self._bytes_now_max:  # not at once at the bound: each time all places are looked at
            self._make_room()
        return True

    # -- what is set aside

    def take(self, consumer: Consumer, limit: int, before: int) -> list[Held]:
        """Up to so many messages that are set aside and that this consumer may have, lowest first; they go out.

        Only those whose place is lower than `before`.
        """
        selector, all_held, out = consumer.selector, self.held, self._out
        own, lane = self._own[consumer], self._lanes[selector]
        taken: list[Held] = []
        while len(taken) < limit:
            first = own if own and (not lane or own[0] < lane[0]) else lane
            if not first or first[0] >= before:
                break
            place = heappop(first)
            held = all_held.get(place)
            if held is None:
                continue
            group = held.group
            if group is not None:
                waiting = group.waiting
                if waiting[0] != place or (group.owner is not consumer and group.owner is not None):
                    continue
                # As `_goes_out` and `_offer` would do it: most messages of a queue with groups come by here.
                del all_held[place]
                while waiting and waiting[0] not in all_held:
                    heappop(waiting)
                group.owner = consumer
                group.out += 1
                group.closed = not waiting and closes_group(held.record)
                out[held.seq] = group
                if waiting and (selector is None or _selects(selector, all_held[waiting[0]].record)):
                    heappush(own, waiting[0])
            else:
                del all_held[place]
            taken.append(held)
        if own:
            self.resumed[consumer] = None
        if taken:
            self.cursor.take_aside([held.seq for held in taken])
            self._count(taken, -1)
        return taken

    def take_resumed(self) -> list[Consumer]:
        """Consumers who may find something that is set aside, as far as that is not what their selector is offered.

        Who is served and has room left for more of it is resumed again.
        """
        resumed = list(self.resumed)
        self.resumed.clear()
        return resumed

    def done(self, seqs: Iterable[int]) -> None:
        """These are no longer out: settled, or on their way back."""
        out = self._out
        if not out:
            return
        for seq in seqs:
            group = out.pop(seq, None)
            if group is not None:
                group.out -= 1
                if not group.out:
                    self._rests(group)

    def take_oldest(self, unread_place: int) -> Held | None:
        """The oldest message that is set aside, of the lowest level that has one: it is to be removed.

        None when there is none, or when the one at `unread_place` is to go before it.
        """
        oldest = self._oldest
        if oldest is None:
            oldest = self._oldest = sorted(map(_turned, self.held))
        while oldest and _turned(oldest[0]) not in self.held:
            heappop(oldest)
        if not oldest or (unread_place != ABOVE_ALL and _turned(unread_place) < oldest[0]):
            return None
        return self._remove(_turned(heappop(oldest)))

    def places_of(self, wanted: Callable[[bytes], bool]) -> list[int]:
        """The places of all messages that are set aside and of which this is true."""
        return [place for place, held in self.held.items() if wanted(held.record)]

    def take_at(self, place: int) -> Held | None:
        """The message at a place, if it is set aside still: it is to be removed."""
        return self._remove(place) if place in self.held else None

    def take_damaged(self) -> list[int]:
        """What is set aside, though it was found damaged on disk since: it is to be settled. Returns what it was."""
        returned = self.cursor.returned
        damaged = [place for place, held in self.held.items() if held.seq not in returned]
        return [self._remove(place).seq for place in damaged]

    def take_out(self, seqs: Iterable[int]) -> list[int]:
        """Those of some messages that are set aside: they are to be settled."""
        places = map(self.cursor.place, seqs)
        return [self._remove(place).seq for place in places if place in self.held]

    def clear(self) -> list[int]:
        """Forget everything that is set aside. Returns what it was."""
        seqs = [held.seq for held in self.held.values()]
        self.bytes = 0
        self._account()
        self.held.clear()
        self._of_level.clear()
        self._oldest = None
        for lane in (*self._lanes.values(), *self._own.values()):
            lane.clear()
        for group in list(self.groups.values()):
            group.waiting.clear()
            if not group.out:
                del self.groups[group.name]
        return seqs

    # -- inside

    def _note_yield(self, looked: int, given: int) -> None:
        self._looked += looked
        self._given += given
        if self._looked > _YIELD_MESSAGES:
            self._looked >>= 1
            self._given = max(1, self._given >> 1)

    def _new_group(self, name: bytes) -> Group:
        group = self.groups[name] = Group(name)
        return group

    def _taker(
        self,
        group: Group | None,
        record: bytes,
        fronts: list[Consumer],
        rooms: dict[Consumer, int],
        refused: list[Selector],
    ) -> Consumer | None:
        """Who gets a message that was just read; None when it has to be set aside.

        `refused` gets the selectors that were asked in vain.
        """
        if group is not None:
            consumer = group.owner or self._preferred.get(group.name)
            if consumer is not None and consumer.waiting:
                room = rooms.get(consumer)
                if room is None:
                    room = rooms[consumer] = consumer.room
                if room and (consumer.selector is None or _selects(consumer.selector, record)):
                    return consumer
            if group.owner is not None:
                return None
        for consumer in fronts:
            selector = consumer.selector
            if selector is None or _selects(selector, record):
                return consumer
            refused.append(selector)
        return None

    def _make_room(self) -> None:
        """Leave what would go last to the cursor."""
        places, left = sorted(self.held), []
        while len(places) > 1 and not self.takes_back:
            held = self.held.pop(places.pop())
            self._count([held], -1)
            left.append(held)
        for group in {held.group for held in left if held.group is not None}:
            group.waiting = sorted(place for place in group.waiting if place in self.held)
            self._offer(group)
        self._ceiling = places[-1] + 1
        self.cursor.bring_back([held.seq for held in left])

    def _remove(self, place: int) -> Held:
        held = self.held.pop(place)
        if held.group is not None:
            self._offer(held.group)
        self.cursor.take_aside([held.seq])
        self._count([held], -1)
        return held

    def _hold(self, place: int, held: Held, refused: Collection[Selector] = ()) -> None:
        """`refused`: selectors that are known not to match."""
        self.held[place] = held
        group = held.group
        if group is None:
            self._into_lanes(place, held.record, refused)
            return
        waiting = group.waiting
        heappush(waiting, place)
        if waiting[0] == place:
            self._offer(group)

    def _count(self, messages: list[Held], sign: int) -> None:
        """These are set aside now, or no longer (-1)."""
        self.bytes += sign * _size_of(messages)
        self._account()
        levels = self._levels
        if levels is not None:
            for held in messages:
                of_level = self._of_level.setdefault(levels.rank_at(levels.place(held.seq)), [0, 0])
                of_level[0] += sign
                of_level[1] += sign * _size_of([held])
        if self._oldest is not None and sign > 0:
            for held in messages:
                heappush(self._oldest, _turned(self.cursor.place(held.seq)))
            if len(self._oldest) > 2 * len(self.held) + _PREFERRED_MAX:
                self._oldest = None

    def _account(self) -> None:
        self._pressure.look_ahead_bytes += self.bytes - self._told
        self._told = self.bytes

    def _goes_out(self, seq: int, group: Group, consumer: Consumer, record: bytes) -> None:
        group.owner = consumer
        group.out += 1
        group.closed = not group.waiting and closes_group(record)
        self._out[seq] = group

    def _rests(self, group: Group) -> None:
        """Nothing of it is out any more: who gets the next one is open."""
        owner, group.owner = group.owner, None
        if group.waiting:
            self._into_lanes(group.waiting[0], self.held[group.waiting[0]].record)
        else:
            del self.groups[group.name]
            preferred = self._preferred
            preferred.pop(group.name, None)
            if not group.closed and owner is not None and owner.open:
                preferred[group.name] = owner
                if len(preferred) > _PREFERRED_MAX:
                    preferred.popitem(last=False)

    def _offer(self, group: Group) -> None:
        """Put the first waiting message of a group where it can be taken from; forget a group that is through."""
        waiting = group.waiting
        while waiting and waiting[0] not in self.held:
            heappop(waiting)
        if not waiting:
            if not group.out:
                self.groups.pop(group.name, None)
            return
        place = waiting[0]
        owner = group.owner
        if owner is None:
            self._into_lanes(place, self.held[place].record)
        elif owner in self._own and (owner.selector is None or _selects(owner.selector, self.held[place].record)):
            own = self._own[owner]
            heappush(own, place)
            if len(own) > _LANE_MAX:
                self._tidy(own)
            self.resumed[owner] = None

    def _into_lanes(self, place: int, record: bytes, refused: Collection[Selector] = ()) -> None:
        for selector, lane in self._lanes.items():
            if selector is None or (selector not in refused and _selects(selector, record)):
                heappush(lane, place)
                if len(lane) > _LANE_MAX:
                    self._tidy(lane)

    def _tidy(self, lane: list[int]) -> None:
        """Places become void behind one that returns again and again."""
        if len(lane) > _LANE_MAX + 2 * len(self.held):
            lane[:] = sorted({place for place in lane if place in self.held})

    def _offered(self) -> Iterator[int]:
        """What may be taken by anybody who selects it."""
        for place, held in self.held.items():
            group = held.group
            if group is None or (group.owner is None and group.waiting[0] == place):
                yield place


def _size_of(messages: list[Held]) -> int:
    return sum([len(held.record) for held in messages]) + _HELD_BYTES_MORE * len(messages)


def _selects(selector: Selector, record: bytes) -> bool:
    return selector.matches(Headers(record))


def _turned(place: int) -> int:
    """A place of which the lowest is dropped first: levels the other way round. Turned twice, it is as before."""
    return -(place >> SEQ_BITS) << SEQ_BITS | place & SEQ_MASK
