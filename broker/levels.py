"""The levels of a queue with priorities: a log and a cursor for each, and one cursor's face for all of them.

Theory of operation. Messages of the middle level are in the queue's own log, so that a queue can get priorities when it
has messages, and lose them again. Each other level has a log of its own from its first message on. Whoever draws from a
queue (`Dispatcher`, `Browser`) sees `Levels` where a plain queue has a `storage.Cursor`: it hands out the messages of
the highest level that has any, within a level returned ones first, then unread ones in order. A level that nobody draws
from costs nothing, however deep it is.

A message's *number* is its sequence number and, in the bits above, which of the logs it is in: 0 for the queue's own,
level + 1 for the others. So the numbers of a run are contiguous, and no two messages of a queue have the same one.
Storage never sees them.

Order. What the highest level owes is waited for while it is on its way from disk, or not promised yet: nothing lower
overtakes it. But a level that the disk does not give at all (`Cursor.fault`) holds up nobody: lower ones go on until it
can be read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from segue.broker.priority import Scale, priority_of
from segue.storage.api import Cursor, Log, Store

__all__ = ["ABOVE_ALL", "LEVEL", "SEQ_BITS", "SEQ_MASK", "Level", "LevelOrder", "Levels", "levels_of"]

LEVEL: Final = "level"
"""The kind of a level's log, in its definition."""
SEQ_BITS: Final = 48
"""At a million messages a second they last for nine years."""
SEQ_MASK: Final = (1 << SEQ_BITS) - 1
_WHICH_BITS: Final = 9
_RANKS: Final = 256
_LAST: Final = -1
"""The rank of the queue's own log while the queue has no priorities: what has a level of its own is drained first."""
_READ_BYTES_MAX: Final = 1 << 20
"""About as much as one read of a cursor gives; of all levels together it would be too much for one step."""
ABOVE_ALL: Final = 1 << 70
"""Greater than every number and every place."""


class Level:
    """One log of a queue.

    Attributes:
        which: the upper bits of its messages' numbers.
        rank: the level that it is; the highest goes first.
        tag: what is added to a sequence number to make it the queue's.
    """

    __slots__ = ("cursor", "rank", "tag", "which")

    def __init__(self, cursor: Cursor, which: int, rank: int) -> None:
        self.cursor = cursor
        self.which = which
        self.rank = rank
        self.tag: Final = which << SEQ_BITS

    def seqs(self, numbers: Iterable[int]) -> list[int]:
        """The sequence numbers of these messages, which are all its own."""
        return [number & SEQ_MASK for number in numbers] if self.which else list(numbers)


class LevelOrder:
    """Some levels of a queue, in the order in which they are drawn from: what a dispatcher needs of a `Cursor`.

    Numbers are the queue's. What is said about `Cursor` holds for methods of the same names.
    """

    def __init__(
        self,
        order: list[Level],
        by_which: dict[int, Level],
        look_again: Callable[[], None],
        *,
        waits_for_disk: bool = False,
    ) -> None:
        """`look_again`: called when there is something to draw that `read` can't give.

        `waits_for_disk`: a level that the disk does not give holds up the others.
        """
        self._order = order
        self._waits_for_disk = waits_for_disk
        self._by_which = by_which
        self._look_again = look_again
        self._is_repeat = False
        self.returned: Mapping[int, int] = _Returned(order, by_which)
        self.condemned: Collection[int] = _Condemned(order)

    # -- numbers

    @property
    def unread(self) -> int:
        """Durable messages never handed out."""
        return sum(level.cursor.unread for level in self._order)

    @property
    def ready(self) -> int:
        """Messages that could go out now."""
        return sum(level.cursor.ready for level in self._order)

    @property
    def waiting(self) -> int:
        """As `ready`, with those that are not on disk yet."""
        return sum(level.cursor.waiting for level in self._order)

    def is_ready(self, number: int) -> bool:
        """True when this one, which is durable, could go out now."""
        return self._level(number).cursor.is_ready(number & SEQ_MASK)

    @property
    def gap_ranges(self) -> int:
        """How many ranges were taken out of the middle of levels."""
        return sum(level.cursor.gap_ranges for level in self._order)

    @property
    def has_returned(self) -> bool:
        """True when a returned message is to be delivered again, before any other."""
        for level in self._readable():
            cursor = level.cursor
            if cursor.has_returned:
                return True
            if cursor.unread:
                return False
        return False

    @property
    def next(self) -> int:
        """Below every number: `read` itself stops where `maybe` would have to be looked at."""
        return 0

    @property
    def maybe(self) -> int:
        """Above every number when what the last `read` gave may be a repeat from before a crash, else 0."""
        return ABOVE_ALL if self._is_repeat else 0

    def holes(self) -> dict[int, int]:
        """Unsettled numbers below the `next` of their levels → deliveries so far."""
        return {tag + seq: count for tag, cursor in self.cursors() for seq, count in cursor.holes().items()}

    def __iter__(self) -> Iterator[Level]:
        """The levels, in this order."""
        return iter(self._order)

    def cursors(self) -> Iterator[tuple[int, Cursor]]:
        """The cursors in this order, and what each one's sequence numbers are raised by."""
        return ((level.tag, level.cursor) for level in self._order)

    # -- drawing

    def read(self, limit: int) -> tuple[int, list[bytes]]:
        """The next messages that were never handed out, of the first level that has any."""
        for level in self._readable():
            cursor = level.cursor
            if cursor.has_returned:
                self._look_again()  # what stood before them is gone: it was damaged, or settled long ago
                break
            if not cursor.unread:
                continue
            known = cursor.maybe - cursor.next
            first, records = cursor.read(min(limit, known) if known > 0 else limit)
            if records:
                self._is_repeat = first < cursor.maybe
                return level.tag + first, records
            if cursor.unread:
                break  # on their way: nothing lower may overtake them
        return 0, []

    def read_across(self, limit: int) -> tuple[list[int], list[bytes]]:
        """As `read`, of several levels, and across gaps: the numbers of the messages, and the records behind them.

        All of them may be repeats from before a crash, or none. `read_again` is not for them.
        """
        numbers: list[int] = []
        records: list[bytes] = []
        size = 0
        for level in self._readable():
            cursor = level.cursor
            if cursor.has_returned:
                if not records:
                    self._look_again()  # as in `read`
                break
            if not cursor.unread:
                continue
            cursor.pass_gaps()
            is_repeat = cursor.next < cursor.maybe
            if records and is_repeat is not self._is_repeat:
                break
            seqs, of_level = cursor.read_across(limit - len(records))
            if of_level:
                self._is_repeat = is_repeat
                tag = level.tag
                numbers += [tag + seq for seq in seqs] if tag else seqs
                records += of_level
                size += sum(map(len, of_level))
            if cursor.unread or len(records) >= limit or size >= _READ_BYTES_MAX:
                break  # what is left of it may be on its way: nothing lower may overtake that
        return numbers, records

    def read_again(self, number: int) -> None:
        """The last `read` gave too much: from this number on it has not happened."""
        self._level(number).cursor.read_again(number & SEQ_MASK)

    def take_returned(self) -> tuple[int, int, bytes] | None:
        """The lowest returned message of the first level that has anything; None as with a cursor."""
        for level in self._readable():
            cursor = level.cursor
            if cursor.has_returned:
                return _numbered(level, cursor.take_returned())
            if cursor.unread:
                break
        return None

    def take_condemned(self) -> tuple[int, int, bytes] | None:
        """One of those that are not to be delivered again, of any level."""
        for level in self._order:
            taken = _numbered(level, level.cursor.take_condemned())
            if taken is not None:
                return taken
        return None

    def spare(self, number: int, standing: int, record: bytes | None = None) -> None:
        """Put back what `take_returned` or `take_condemned` gave: as if it had not been taken."""
        self._level(number).cursor.spare(number & SEQ_MASK, standing, record)

    def skip(self, count: int) -> int:
        """Settle unread messages of the first level that has any, so many at most. Returns how many that were."""
        for level in self._order:
            if level.cursor.unread:
                return level.cursor.skip(count)
        return 0

    # -- settling

    def settle(self, numbers: list[int]) -> None:
        """These messages are done for good."""
        for level, some in self._sorted(numbers):
            level.cursor.settle(level.seqs(some))

    def settle_ahead(self, numbers: list[int]) -> None:
        """Settle some that were never handed out; those of one level rise, and the others of it stay unread."""
        for level, some in self._sorted(numbers):
            level.cursor.settle_ahead(level.seqs(some))

    def give_back(self, messages: dict[int, int]) -> None:
        """These messages (number → deliveries so far, or a standing) go back."""
        for level, numbers in self._sorted(messages):
            level.cursor.give_back({number & SEQ_MASK: messages[number] for number in numbers})

    def condemn_returned(self, messages: dict[int, int]) -> None:
        """Messages that wait in `returned` get a standing each."""
        for level, numbers in self._sorted(messages):
            level.cursor.condemn_returned({number & SEQ_MASK: messages[number] for number in numbers})

    def place(self, number: int) -> int:
        """Where a message stands in the order of first deliveries, as long as the levels have the same ranks."""
        level = self._level(number)
        return ((_RANKS - level.rank) << _WHICH_BITS | level.which) << SEQ_BITS | number & SEQ_MASK

    def rank_at(self, place: int) -> int:
        """The rank of the level that a `place` is in."""
        return _RANKS - (place >> _WHICH_BITS + SEQ_BITS)

    @property
    def unread_place(self) -> int:
        """Where the next message stands that `read` could give; above all when there is none."""
        for level in self._readable():
            if level.cursor.unread:
                return self.place(level.tag + level.cursor.next)
        return ABOVE_ALL

    def may_repeat(self, number: int) -> bool:
        """True when a first delivery of this one may be a repeat from before a crash."""
        return self._level(number).cursor.may_repeat(number & SEQ_MASK)

    def set_aside(self, messages: dict[int, int]) -> None:
        """Messages that `read` gave wait for somebody who may have them."""
        for level, numbers in self._sorted(messages):
            level.cursor.set_aside({number & SEQ_MASK: messages[number] for number in numbers})

    def keep_aside(self, number: int, standing: int) -> None:
        """As `set_aside`, for one that `take_returned` gave."""
        self._level(number).cursor.keep_aside(number & SEQ_MASK, standing)

    def take_aside(self, numbers: Collection[int]) -> None:
        """Somebody takes messages that were set aside."""
        for level, some in self._sorted(numbers):
            level.cursor.take_aside(level.seqs(some))

    def bring_back(self, numbers: Iterable[int]) -> None:
        """What was set aside goes out again by `take_returned`."""
        for level, some in self._sorted(list(numbers)):
            level.cursor.bring_back(level.seqs(some))

    def drop_returned(self, numbers: Iterable[int]) -> None:
        """Settle messages that wait in `returned`."""
        for level, some in self._sorted(list(numbers)):
            level.cursor.drop_returned(level.seqs(some))

    def _readable(self) -> Iterable[Level]:
        if self._waits_for_disk:
            return self._order
        return (level for level in self._order if not level.cursor.fault)

    def _level(self, number: int) -> Level:
        return self._by_which[number >> SEQ_BITS]

    def _sorted(self, numbers: Collection[int]) -> Iterator[tuple[Level, Collection[int]]]:
        """The levels of some messages, and which of them each has, in the order that they have here."""
        if not numbers:
            return
        lowest = self._level(min(numbers))
        if self._level(max(numbers)) is lowest:  # so it is nearly always, and two calls in C find it out
            yield lowest, numbers
            return
        found: dict[int, list[int]] = {}
        for number in numbers:
            found.setdefault(number >> SEQ_BITS, []).append(number)
        for which, some in found.items():
            yield self._by_which[which], some


class Levels(LevelOrder):
    """All levels of one queue, the highest first.

    Attributes:
        log: the queue's own.
        out: as of a cursor, with numbers of all levels.
        scale: the queue's priorities; None when it has none (any more), and all that is published goes to its own log.
        each: every level by itself, for who has to look at the first message of each.
        lowest_first: all of them, the other way round.
    """

    def __init__(self, store: Store, name: str, own: Cursor, look_again: Callable[[], None]) -> None:
        """`name`: of the queue; its messages stay where they are."""
        self._store = store
        self._name = name
        self._own = Level(own, 0, _LAST)
        super().__init__([self._own], {0: self._own}, look_again)
        self.log = own.log
        self.out = own.out
        own.out = _OutOfLevel(self.out, 0)
        self.scale: Scale | None = None
        self.each: list[LevelOrder] = []
        # Or messages that are worth more would go for those that can't be read at the moment.
        self.lowest_first = LevelOrder([], self._by_which, look_again, waits_for_disk=True)
        self._listener = own.listener
        self._put_in_order()

    @property
    def listener(self) -> Callable[[], None] | None:
        """Called when more can be drawn than a moment ago."""
        return self._listener

    @listener.setter
    def listener(self, listener: Callable[[], None] | None) -> None:
        self._listener = listener
        for level in self._order:
            self._listen(level)

    @property
    def fault(self) -> str:
        """Why nothing of some level can be read from disk at the moment; empty when all can."""
        return next((level.cursor.fault for level in self._order if level.cursor.fault), "")

    @property
    def quarantined(self) -> Collection[tuple[int, int, str]]:
        """Damaged messages of all levels, as ranges; its length is the number of messages."""
        return _Quarantined(self._order)

    def settle_quarantined(self) -> int:
        """Give up what is set aside. Returns how many messages that were, at most."""
        return sum(level.cursor.settle_quarantined() for level in self._order)

    @property
    def logs(self) -> tuple[Log, ...]:
        """Of all levels, the highest first."""
        return tuple(level.cursor.log for level in self._order)

    def set_scale(self, scale: Scale | None) -> None:
        """The queue has other priorities, or none, from now on. What is there stays where it is."""
        self.scale = scale
        self._own.rank = _LAST if scale is None else scale.middle
        self._put_in_order()

    def log_of(self, priority: int | None) -> Log:
        """Where messages of a priority go; the level is made now if need be, durable with the open batch."""
        return self._level_for(priority).cursor.log

    def log_for(self, record: bytes) -> Log:
        """As `log_of`, by what a message itself says."""
        return self.log_of(priority_of(record) if self.scale is not None else None)

    def append(self, record: bytes) -> int:
        """Put a message behind the others of its priority. Returns its number."""
        level = self._level_for(priority_of(record) if self.scale is not None else None)
        return level.tag + level.cursor.log.append(record)

    def add(self, log: Log) -> None:
        """Take up a level that the store has recovered."""
        self._add(log.cursors[0], int(log.definition["level"]))

    def _level_for(self, priority: int | None) -> Level:
        if self.scale is None:
            return self._own
        level = self.scale.level(priority)
        if level == self.scale.middle:
            return self._own
        return self._by_which.get(level + 1) or self._make(level)

    def _make(self, level: int) -> Level:
        definition: dict[str, Any] = {"kind": LEVEL, "queue": self._name, "level": level}
        if self.log.definition.get("durable") is False:
            definition["durable"] = False
        log = self._store.create_log(definition)
        return self._add(self._store.create_cursor(log, {"kind": LEVEL}), level)

    def _add(self, cursor: Cursor, rank: int) -> Level:
        level = self._by_which[rank + 1] = Level(cursor, rank + 1, rank)
        cursor.out = _OutOfLevel(self.out, level.which)
        self._listen(level)
        self._order.append(level)
        self._put_in_order()
        return level

    def _listen(self, level: Level) -> None:
        level.cursor.listener = level.cursor.log.listener = self._listener

    def _put_in_order(self) -> None:
        # Of two with the same rank (there were other priorities before) the queue's own log goes first.
        self._order.sort(key=lambda level: (-level.rank, level.which))
        self.lowest_first._order[:] = reversed(self._order)
        self.each[:] = [LevelOrder([level], self._by_which, self._look_again) for level in self._order]


def levels_of(logs: Iterable[Log]) -> dict[str, list[Log]]:
    """Those of these logs that are levels, by the name of the queue."""
    found: dict[str, list[Log]] = {}
    for log in logs:
        if log.definition.get("kind") == LEVEL:
            found.setdefault(str(log.definition["queue"]), []).append(log)
    return found


def _numbered(level: Level, taken: tuple[int, int, bytes] | None) -> tuple[int, int, bytes] | None:
    return None if taken is None else (level.tag + taken[0], taken[1], taken[2])


class _OutOfLevel(list[dict[int, int]]):
    """`Cursor.out` of one level: what of the queue's containers is its own, looked for when a checkpoint asks."""

    def __init__(self, containers: list[dict[int, int]], which: int) -> None:
        super().__init__()
        self._containers = containers
        self._which = which

    def __iter__(self) -> Iterator[dict[int, int]]:
        which = self._which
        for container in self._containers:
            if container:
                yield {n & SEQ_MASK: count for n, count in container.items() if n >> SEQ_BITS == which}


class _Returned(Mapping[int, int]):
    """`Cursor.returned` of several levels."""

    def __init__(self, order: list[Level], by_which: dict[int, Level]) -> None:
        self._order = order
        self._by_which = by_which

    def __bool__(self) -> bool:
        return any(level.cursor.returned for level in self._order)

    def __len__(self) -> int:
        return sum(len(level.cursor.returned) for level in self._order)

    def __iter__(self) -> Iterator[int]:
        for level in self._order:
            tag = level.tag
            yield from (tag + seq for seq in level.cursor.returned)

    def __getitem__(self, number: int) -> int:
        return self._by_which[number >> SEQ_BITS].cursor.returned[number & SEQ_MASK]


class _Condemned(Collection[int]):
    """`Cursor.condemned` of several levels."""

    def __init__(self, order: list[Level]) -> None:
        self._order = order

    def __bool__(self) -> bool:
        return any(level.cursor.condemned for level in self._order)

    def __len__(self) -> int:
        return sum(len(level.cursor.condemned) for level in self._order)

    def __iter__(self) -> Iterator[int]:
        for level in self._order:
            tag = level.tag
            yield from (tag + seq for seq in level.cursor.condemned)

    def __contains__(self, number: object) -> bool:
        return any(number == other for other in self)


class _Quarantined(Collection[tuple[int, int, str]]):
    """`Cursor.quarantined` of several levels."""

    def __init__(self, order: list[Level]) -> None:
        self._order = order

    def __bool__(self) -> bool:
        return any(level.cursor.quarantined for level in self._order)

    def __len__(self) -> int:
        return sum(len(level.cursor.quarantined) for level in self._order)

    def __iter__(self) -> Iterator[tuple[int, int, str]]:
        for level in self._order:
            tag = level.tag
            yield from ((tag + first, tag + last, reason) for first, last, reason in level.cursor.quarantined)

    def __contains__(self, damage: object) -> bool:
        return any(damage == other for other in self)
