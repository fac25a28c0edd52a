"""A queue: a log with one cursor, and its dispatcher. Durable ones survive; temporary ones die with a connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from segue.broker.bound import Bound
from segue.broker.dead_letter_office import DeadLetterOffice
from segue.broker.deduplication import Acceptance, Identity, QueueDeduplication
from segue.broker.dispatcher import Dispatcher
from segue.broker.errors import LimitReachedError
from segue.broker.expiry import Expiry
from segue.broker.levels import Levels
from segue.broker.look_ahead import LookAhead
from segue.broker.marks import Marked, mark
from segue.broker.priority import Scale
from segue.broker.queue_options import REFUSE, QueueOptions, declared_options
from segue.broker.redelivery import Redelivery
from segue.storage.api import CONDEMNED, Cursor, Log, times

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.node import Node

__all__ = ["MemoryQueue", "Queue", "QueueStatistics", "TemporaryQueue"]

_RECORD_BYTES_MORE: Final = 256
"""At least what a message takes in memory beside its record: so what fits together fits one by one, too."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """A queue at this moment. Counts are messages since the queue exists, unless said otherwise.

    Attributes:
        ready: waiting to be delivered (unread and returned ones).
        returned: of these, delivered before.
        passed_over: of the ready ones, those that none of the consumers there may have now (selectors, groups).
        groups: message groups of which something is out or set aside.
        look_ahead_full: no more can be set aside: what is behind waits, though a consumer could have it.
        in_flight: out with consumers.
        published: ever accepted.
        settled: done for good.
        delivered, acknowledged: since the start of the broker.
        dead_lettered, discarded: condemned since the start of the broker, and moved or given up.
        expired: past their deadline, since the start of the broker; also among the former where they were moved.
        dropped: since the start of the broker, to make room for newer ones; likewise.
        delayed: waiting for their time, not yet in the queue; after a start, those that are counted already.
        bytes: of the records on disk and in memory, where Python adds some 128 to each; settled ones may be among them.
        segments: segment files.
        quarantined: damaged, set aside.
        oldest_ms: when the oldest message that is still owed was accepted, 0 when unknown or empty.
    """

    name: str
    kind: str
    ready: int
    returned: int
    passed_over: int
    groups: int
    look_ahead_full: bool
    in_flight: int
    consumers: int
    published: int
    settled: int
    delivered: int
    acknowledged: int
    dead_lettered: int
    discarded: int
    expired: int
    dropped: int
    delayed: int
    bytes: int
    segments: int
    quarantined: int
    oldest_ms: int
    paused: bool


class Queue(Marked):
    """A durable queue.

    Attributes:
        open: False once it is deleted: who has kept a reference must look it up again.
        owner: session that alone may consume, 0 for none.
        exclusive: it is the owner's, and goes with it.
        auto_delete: deleted when the last consumer leaves.
        options: what it does beyond holding messages, see `apply`.
        bound: what may wait in it; None for no limit.
        log: where its messages are; those of the middle priority, where it has `levels`.
        cursor: what it owes, of all its logs.
        levels: what its messages are sorted into by priority; None for a queue that never had priorities.
        append: puts a message at the end of the queue, or behind others of its priority.
        deduplication: what it remembers of its publishers; None as long as no message had an id or a number.
    """

    kind = "queue"

    def __init__(self, node: Node, name: str, log: Log, cursor: Cursor, in_flight_max: int) -> None:
        self.node = node
        self.name = name
        self.log = log
        self.cursor: Cursor | Levels = cursor
        self.levels: Levels | None = None
        self.dispatcher = self._make_dispatcher(cursor, in_flight_max)
        self.open = True
        self.owner = 0
        self.exclusive = False
        self.auto_delete = False
        self.append = log.append
        self.bound: Bound | None = None
        self.deduplication: QueueDeduplication | None = None
        self.dispatcher.go_on_later = node.go_on_later
        self.dispatcher.paused = bool(log.definition.get("paused"))
        log.listener = self.dispatcher.dispatch
        self.apply(QueueOptions.from_definition(log.definition))

    @property
    def definition(self) -> dict[str, Any]:
        """As it stands in the catalog."""
        return self.log.definition

    @property
    def declared(self) -> dict[str, Any]:
        """The options that it was declared with, by name; they stay with it."""
        return declared_options(self.definition)

    def apply(self, options: QueueOptions) -> None:
        """Do from now on as these options say, with the messages that are there, too. Nothing of it is on disk.

        What is condemned already stays so, and goes where these options say. Messages that wait and have had the
        deliveries of a new limit are condemned; what is past a new deadline, or too much by a new bound, goes with the
        next sweep or dispatch. Who keeps `append` has to look at `refuses` again.
        """
        self.options = options
        dispatcher = self.dispatcher
        dispatcher.delivery_limit = options.delivery_limit
        office = DeadLetterOffice(self.node, dispatcher, self.name, options.dead_letter)
        dispatcher.bury = office.bury if options.dead_letter else None
        if dispatcher.redelivery is not None:
            dispatcher.bury = dispatcher.redelivery.before(dispatcher.bury)
        elif options.redelivery_delay_ms or self.definition.get("puts_off"):
            self.open_redelivery()
        if options.priority_max or self.levels is not None:
            self._set_priorities(options.priority_max)
        self._set_bound(options)
        if options.message_ttl_ms is not None or self.definition.get("expiring"):
            self._set_expiry()
        elif dispatcher.expiry is not None:
            self._unset_expiry()
        self.node.idle_queues.watch(self)
        if self.definition.get("grouped"):
            self.look_ahead().grouped = True
        dispatcher.set_single_active(options.single_active)
        if options.delivery_limit:
            dispatcher.judge_returned()
        if self.deduplication is not None:
            self.deduplication.apply(options)
        if self.cursor.condemned or dispatcher.bound is not None:
            self.node.touched(dispatcher)

    @property
    def accepted(self) -> int:
        """Messages that are on disk, or were, since the queue exists."""
        return sum(log.durable - 1 for log in self.logs)

    def publish(self, record: bytes) -> int:
        """Accept a message; it is visible when its batch is durable. Returns its number.

        Raises:
            LimitReachedError: the queue is full.
        """
        if self.bound is None:
            return self.append(record)
        self.check_room(1, len(record))
        number = self.append(record)
        self.bound.accepted(len(record))
        return number

    def publish_all(self, records: list[bytes]) -> Sequence[int]:
        """As `publish`, of several for which there is room: see `check_room`. Returns their numbers."""
        return self._append_all(records) if self.bound is None else [self.publish(record) for record in records]

    @property
    def refuses(self) -> bool:
        """True when `publish` may raise; otherwise `append` does the same."""
        return self.bound is not None and self.options.overflow == REFUSE

    @property
    def logs(self) -> tuple[Log, ...]:
        """Where its messages are."""
        return (self.log,) if self.levels is None else self.levels.logs

    def log_of(self, priority: int | None) -> Log:
        """Where messages of a priority go, None for those that say none."""
        return self.log if self.levels is None else self.levels.log_of(priority)

    def append_of(self, priority: int | None) -> Callable[[bytes], int]:
        """`append` for messages that all have one priority: it does not look at each."""
        return self.append if self.levels is None else self.levels.log_of(priority).append

    def take_up(self, levels: Iterable[Log]) -> None:
        """These were its levels before the broker's start. They stay for ever: their numbers may not come again."""
        for log in levels:
            (self.levels or self._make_levels()).add(log)
        if self.levels is not None:
            self.apply(self.options)

    def pause(self) -> None:
        """Deliver nothing until `resume`, also after a restart. Durable with the open batch."""
        self._set_paused(paused=True)

    def resume(self) -> None:
        """Deliver again."""
        self._set_paused(paused=False)
        self.node.touched(self.dispatcher)

    def _set_paused(self, *, paused: bool) -> None:
        if self.dispatcher.paused is not paused:
            self.dispatcher.paused = paused
            self.node.store.redefine(self.log, {**self.log.definition, "paused": paused})

    def note_expiring(self) -> None:
        """A message with a deadline of its own is about to be published here. Durable with the open batch."""
        if mark(self.node.store, self.log, "expiring") and self.dispatcher.expiry is None:
            self._set_expiry()

    def note_grouped(self) -> None:
        """As `note_expiring`, of a message that belongs to a group."""
        if mark(self.node.store, self.log, "grouped"):
            self.look_ahead().grouped = True

    def look_ahead(self) -> LookAhead:
        """What decides who may have which message; made when there is none."""
        dispatcher = self.dispatcher
        if dispatcher.look_ahead is None:
            limits = self.node.settings.limits
            dispatcher.begin_look_ahead(
                LookAhead(
                    self.cursor, self.node.pressure, limits.queue_look_ahead_max, limits.queue_look_ahead_bytes_max
                )
            )
        assert dispatcher.look_ahead is not None
        return dispatcher.look_ahead

    def open_redelivery(self) -> None:
        """Messages that come back may be put off from now on."""
        dispatcher = self.dispatcher
        if dispatcher.redelivery is None:
            dispatcher.redelivery = Redelivery(self)
            dispatcher.bury = dispatcher.redelivery.before(dispatcher.bury)

    def note_put_off(self) -> None:
        """A message is put off, or comes back from that. Durable with the open batch."""
        mark(self.node.store, self.log, "puts_off")

    def close(self, reason: str) -> None:
        """It is being deleted: nobody consumes from it any more; consumers are told why, unless `reason` is empty."""
        self.open = False
        self.dispatcher.close()
        consumers = self.dispatcher.consumers
        while consumers:  # to be told may end a session, and with it others of these
            consumer = consumers[0]
            self.dispatcher.remove(consumer)
            if reason:
                consumer.sink.cancelled(reason)

    def check_room(self, messages: int, size: int) -> None:
        """Raises LimitReachedError when so many messages of so many bytes can't be accepted now."""
        if self.bound is not None and self.refuses and (reason := self.bound.refusal(messages, size)):
            raise LimitReachedError(f"queue '{self.name}' is full: {reason}")

    def publish_once(self, identity: Identity, record: bytes) -> Acceptance:
        """Accept a message, unless one of the same identity was accepted before.

        Durability: the message and what is remembered of it are in one batch. The answer to a repeat may go out when
        everything done so far is durable, as with any other: then the first one is.

        Raises:
            LimitReachedError: the queue is full, or memory for what is remembered is; nothing is remembered of it.
            RecallPendingError: what is remembered has to be read from disk first.
        """
        remembered = self.deduplication or self._remembered()
        return identity.publish(remembered, self._accept_once, record)

    def publish_new(self, identity: Identity, values: Sequence[bytes], records: list[bytes]) -> Sequence[int] | None:
        """As `publish_once`, for several messages if none is a repeat. Only for a queue that does not refuse.

        Returns:
            Their numbers; None when one may be a repeat, and nothing has happened.

        Raises:
            LimitReachedError, RecallPendingError: as above; nothing has happened.
        """
        remember = identity.admit(self.deduplication or self._remembered(), values)
        if remember is None:
            return None
        self.node.deduplication.check_room()
        seqs = self._append_all(records)
        remember(seqs)
        return seqs

    def _append_all(self, records: list[bytes]) -> Sequence[int]:
        if self.levels is not None:
            return list(map(self.append, records))
        first = self.log.head
        self.log.append_all(records)
        return range(first, first + len(records))

    def _accept_once(self, record: bytes) -> int:
        deduplication = self.node.deduplication
        if deduplication.bytes > deduplication.bytes_refused:
            deduplication.check_room()
        return self.publish(record)

    def recall(self, identity: Identity) -> Acceptance | None:
        """The answer to a repeat, None for a message that would be accepted. Raises RecallPendingError as above."""
        return identity.recall(self._remembered())

    def remember(self, identity: Identity, seq: int) -> Acceptance:
        """A message of this identity was accepted; `publish_once` does so by itself."""
        return identity.remember(self._remembered(), seq)

    def _remembered(self) -> QueueDeduplication:
        if self.deduplication is None:
            self.deduplication = self.node.deduplication.open(self.log, self.options)
        return self.deduplication

    def purge(self) -> int:
        """Settle everything that is ready; what is out with consumers stays. Returns how many that were."""
        cursor = self.cursor
        if self.dispatcher.look_ahead is not None:
            self.dispatcher.look_ahead.clear()
        waiting = [seq for seq, standing in cursor.returned.items() if standing < CONDEMNED]
        cursor.drop_returned(waiting)
        purged = len(waiting)
        while skipped := cursor.skip(cursor.unread):
            purged += skipped
        return purged

    def purge_damaged(self) -> int:
        """Settle what is not delivered because it is damaged on disk. Returns how many that were, at most."""
        look_ahead = self.dispatcher.look_ahead
        at_hand = [] if look_ahead is None else look_ahead.take_damaged()
        if at_hand:
            self.cursor.settle(at_hand)
        return len(at_hand) + self.cursor.settle_quarantined()

    def statistics(self) -> QueueStatistics:
        """See `QueueStatistics`."""
        logs, cursor, dispatcher = self.logs, self.cursor, self.dispatcher
        in_flight, look_ahead = dispatcher.in_flight, dispatcher.look_ahead
        passed_over = 0 if look_ahead is None else len(look_ahead.held)
        ready = cursor.ready
        return QueueStatistics(
            name=self.name,
            kind=self.kind,
            ready=ready,
            returned=max(0, len(cursor.returned) - len(cursor.condemned) - passed_over),
            passed_over=passed_over,
            groups=0 if look_ahead is None else len(look_ahead.groups),
            look_ahead_full=dispatcher.look_ahead_full,
            in_flight=in_flight,
            consumers=len(dispatcher.consumers),
            published=sum(log.head - 1 for log in logs),
            settled=max(0, self.accepted - ready - in_flight - len(cursor.condemned) - len(cursor.quarantined)),
            delivered=dispatcher.delivered,
            acknowledged=dispatcher.acknowledged,
            dead_lettered=dispatcher.dead_lettered,
            discarded=dispatcher.discarded,
            expired=dispatcher.expired,
            dropped=dispatcher.dropped,
            delayed=self.node.schedule.census.waiting_for("q" + self.name),
            bytes=sum(sum(extent.bytes for extent in log.extents) + log.hot_bytes for log in logs),
            segments=sum(1 for log in logs for extent in log.extents if extent.path),
            quarantined=len(cursor.quarantined),
            oldest_ms=min(filter(None, map(_oldest_ms, logs)), default=0),
            paused=dispatcher.paused,
        )

    def _set_bound(self, options: QueueOptions) -> None:
        limits = options.messages_max, options.bytes_max
        if self.bound is None or self.bound.limits != limits:
            if self.bound is not None:
                self.bound.close()
            self.bound = None if limits == (None, None) else Bound(self.cursor, *limits)
        self.dispatcher.bound = None if options.overflow == REFUSE else self.bound

    def _set_priorities(self, priority_max: int) -> None:
        levels = self.levels or self._make_levels()
        self.dispatcher.look_anew()
        levels.set_scale(Scale(priority_max) if priority_max else None)
        self.append = levels.append

    def _make_levels(self) -> Levels:
        store, dispatcher = self.node.store, self.dispatcher
        levels = Levels(store, self.name, self.log.cursors[0], partial(self.node.go_on_later, dispatcher))
        dispatcher.draw_from(levels)
        self.cursor = self.levels = levels
        if self.bound is not None:
            self.bound.close()
            self.bound = None  # it counts one log
            self._set_bound(self.options)
        self.node.topics.forget_routes()  # some lead straight to the log
        return levels

    def _set_expiry(self) -> None:
        self.dispatcher.expiry = Expiry(self.node.clock, self.options.message_ttl_ms)
        self.node.sweep_regularly(self.dispatcher)

    def _unset_expiry(self) -> None:
        self.node.sweep_no_more(self.dispatcher)
        self.dispatcher.expiry = None
        self.dispatcher.sweeping = False

    def _make_dispatcher(self, cursor: Cursor, in_flight_max: int) -> Dispatcher:
        return Dispatcher(cursor, in_flight_max)


class MemoryQueue(Queue):
    """A queue of which nothing is on disk. Bounded, and bounded with all others of its kind (`Pressure.buffer_bytes`).

    Attributes:
        messages_max, bytes_max: the most that may be in it.
    """

    cursor: Cursor

    def __init__(
        self, node: Node, name: str, log: Log, cursor: Cursor, in_flight_max: int, messages_max: int, bytes_max: int
    ) -> None:
        super().__init__(node, name, log, cursor, in_flight_max)
        self.messages_max = messages_max
        self.bytes_max = bytes_max
        self._accounted = 0

    @property
    def bytes_now_max(self) -> int:
        """The most bytes that may be in it now."""
        pressure = self.node.pressure
        return pressure.ration(self.bytes_max, pressure.buffer_bytes)

    def account(self) -> None:
        """Count what is in it: once a step, and when something was settled."""
        size = self.log.hot_bytes
        self.node.pressure.buffer_bytes += size - self._accounted
        self._accounted = size

    def may_have_out(self) -> bool:
        """True when further messages may go out before some of those that are out are settled."""
        return True

    def purge(self) -> int:
        """See `Queue`."""
        count = super().purge()
        self.account()
        return count

    def _make_dispatcher(self, cursor: Cursor, in_flight_max: int) -> Dispatcher:
        return _MemoryDispatcher(self, cursor, in_flight_max)


class _MemoryDispatcher(Dispatcher):
    """A dispatcher that keeps count of its queue's memory, and delivers only what may be out."""

    def __init__(self, queue: MemoryQueue, cursor: Cursor, in_flight_max: int) -> None:
        super().__init__(cursor, in_flight_max)
        self._queue = queue

    def dispatch(self) -> None:
        if self.open:
            super().dispatch()
            self._queue.account()

    def sweep(self) -> float:
        seconds = super().sweep()
        self._queue.account()
        return seconds

    def close(self) -> None:
        super().close()
        del self._queue  # it refers to us: only the garbage collector would free the two, and what was in the queue

    def _share(self, consumer: Consumer) -> int:
        return super()._share(consumer) if self._may_deliver else 0

    @property
    def _may_deliver(self) -> bool:
        return not self.in_flight or self._queue.may_have_out()


class TemporaryQueue(MemoryQueue):
    """A queue in memory that belongs to a connection and dies with it."""

    kind = "temporary-queue"

    def check_room(self, messages: int, size: int) -> None:
        """See `Queue`."""
        log = self.log
        together = log.hot_bytes + size + messages * _RECORD_BYTES_MORE
        fits = together <= self.bytes_now_max or (messages == 1 and not log.hot)  # a single message always fits
        if not fits or len(log.hot) + messages > self.messages_max:
            raise LimitReachedError(f"temporary queue {self.name} is full: its consumer does not keep up")

    def publish(self, record: bytes) -> int:
        """Accept a message; consumers get it at the end of this step. Returns its number.

        Raises:
            LimitReachedError: its consumer has fallen too far behind.
        """
        self.check_room(1, len(record))
        number = self.append(record)
        self.node.touched(self.dispatcher)
        return number


def _oldest_ms(log: Log) -> int:
    low = log.cursors[0].low()
    if low >= log.durable:
        return 0
    record = log.find(low)
    if record is not None:
        return times(record)[0]
    index = log.extent_at(low)
    return log.extents[index].written_ms if index < len(log.extents) else 0
