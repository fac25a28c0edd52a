"""Leases: messages that somebody has taken and will settle by their ids, until a deadline. For peers without a session.

A subscription is a connection's, and ends with it. Whoever asks over HTTP takes some messages with one request, and
settles each with another one, perhaps from another machine: in between only ids and deadlines hold them.

Theory of operation. Each `take` is a consumer of the queue with credit for so many messages. What it has been given by
the end of a step is leased; from then on it gets nothing more, and it leaves when the last of its messages is settled
or has gone back. So everything that holds for consumers holds here: order, groups, dead letters, a message is out with
one at a time. Takers stand in line with all other consumers; one that waits costs nothing until it is served.

Leases are in memory only: with a restart their messages come again, and say so.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import InUseError, NotHeldError

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["Lease", "Leases", "Taking"]

_DISK_SECONDS: Final = 2.0
"""Messages that are there, but on their way from disk, are waited for so long even by who does not want to wait."""
_CHOICE_SECONDS: Final = 0.1
"""Likewise where it may be that nobody may have them now: groups, selectors."""
_TAKEN_BYTES_MAX: Final = 4 << 20
"""With so much, a taker gets no more: he asked for a number of messages of unknown size, and all of them are in memory
while they are on their way to him."""
_EPOCH_BYTES: Final = 5
_STALE_FACTOR: Final = 2
_STALE_MIN: Final = 1024
"""Deadlines that nobody waits for any more, beyond which they are thrown out: they may be a day away."""


class Lease:
    """One message that is out.

    Attributes:
        id: what settles it; a new one with each `touch`, and none comes again in any process.
        queue: where it is from.
        seq: its number there.
        record: the message.
        deliveries: how often it was delivered, this one included, as far as that is known.
        redelivered: it may have been delivered before: by `deliveries`, or before a crash.
        until: when it goes back, monotonic seconds.
    """

    __slots__ = ("deliveries", "id", "queue", "record", "redelivered", "seq", "taking", "until")

    def __init__(
        self, taking: Taking, lease_id: str, seq: int, record: bytes, deliveries: int, redelivered: bool, until: float
    ) -> None:
        self.taking = taking
        self.id = lease_id
        self.queue = taking.queue
        self.seq = seq
        self.record = record
        self.deliveries = deliveries
        self.redelivered = redelivered
        self.until = until


class Taking:
    """One `take`: a `Sink` until it has something, and whose messages are out with its consumer from then on.

    Attributes:
        queue: whose messages.
        leases: what it was given, settled or not; none any more when all of it is settled or has gone back.
        blocked: see `Sink`; True once it has been served, or has as many bytes as one may take.
        patience: until when it waits for the first message, monotonic seconds.
        consumer: it, as the queue sees it.
    """

    def __init__(
        self, leases: Leases, queue: Queue, most: int, seconds: float, then: Callable[[list[Lease]], None]
    ) -> None:
        self._leases = leases
        self.queue = queue
        self._seconds = seconds
        self._then: Callable[[list[Lease]], None] | None = then
        self._taken: list[tuple[int, bytes, int, bool]] = []
        self._bytes = 0
        self.leases: list[Lease] = []
        self.blocked = False
        self.patience = 0.0
        self.consumer: Consumer = queue.dispatcher.add(self, prefetch=most, settles=True, session_id=0)

    # -- Sink

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        self._note(sum(map(len, records)))
        self._taken += [(seq, record, 1, redelivered) for seq, record in zip(seqs, records, strict=True)]

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self._note(len(record))
        self._taken.append((seq, record, deliveries, True))

    def cancelled(self, reason: str) -> None:
        self._leases.forget(self)
        self._end([])

    def failed(self, error: Exception) -> None:
        self._leases.node.log.crash("internal.error", error, queue=self.queue.name)
        self.give_up()

    def _note(self, size: int) -> None:
        if not self._taken:
            self._leases.node.wrote(self)  # more may come in this step
        self._bytes += size
        self.blocked = self._bytes >= _TAKEN_BYTES_MAX

    # -- segue.broker.node.Output: the end of a step

    def flush_output(self) -> None:
        if self._then is None:
            return
        if self._taken:
            self.blocked = True
            until = self._leases.node.clock.monotonic() + self._seconds
            taken, self._taken = self._taken, []
            self.leases = self._leases.lease_out(self, taken, until)
            self._end(self.leases)
            if self.leases:  # not all settled at once
                self._leases.look_at(until, self)
        elif self._leases.node.clock.monotonic() >= self.patience and not self._may_come():
            self.give_up()

    def let_go(self) -> None: ...

    def close(self, reason: str) -> None: ...

    def abandon(self, reason: str) -> None:
        self.give_up()

    # --

    def _may_come(self) -> bool:
        """True when there are messages that may only have to be read first; then it waits for a moment."""
        dispatcher, cursor = self.queue.dispatcher, self.queue.cursor
        if self.patience or dispatcher.paused or not (cursor.unread or cursor.has_returned):
            return False
        self.wait(_DISK_SECONDS if dispatcher.look_ahead is None else _CHOICE_SECONDS)
        return True

    def wait(self, seconds: float) -> None:
        """Wait so long for the first message."""
        self.patience = self._leases.node.clock.monotonic() + seconds
        self._leases.look_at(self.patience, self)

    @property
    def waits(self) -> bool:
        """True until it has been given something, or up."""
        return self._then is not None

    def give_up(self) -> None:
        """Nobody waits for it any more, or knows what it was given: all of that goes back to its place."""
        self._leases.forget(self)
        if self.consumer.open:
            self.queue.dispatcher.remove(self.consumer)
            self._leases.node.touched(self.queue.dispatcher)
        self._end([])

    def _end(self, leases: list[Lease]) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(leases)


class Leases:
    """All leases of a broker. What changes something is durable with the open batch."""

    def __init__(self, node: Node, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """`random_bytes`: for what tells the ids of this process from those of others."""
        self.node = node
        self._epoch = random_bytes(_EPOCH_BYTES).hex()
        self._numbers = count(1)
        self._by_id: dict[str, Lease] = {}
        self._deadlines: list[tuple[float, int, Lease | Taking]] = []
        self._tidy_at = _STALE_MIN
        self._sooner = trio.Event()

    def __len__(self) -> int:
        return len(self._by_id)

    def of(self, queue: Queue) -> list[Lease]:
        """All of a queue's messages that are leased."""
        return [lease for lease in self._by_id.values() if lease.queue is queue]

    def take(
        self,
        queue: Queue,
        most: int,
        seconds: float,
        then: Callable[[list[Lease]], None],
        *,
        wait_seconds: float = 0.0,
    ) -> Taking:
        """Take messages of a queue.

        Args:
            queue: which.
            most: how many, at most.
            seconds: for how long.
            then: is called with the leases, at the end of a step; with none when there are none, or the queue has gone.
            wait_seconds: for how long the first message is waited for.

        Returns:
            What to `give_up` when nobody waits for it any more, or who waited has not seen what it got.

        Raises:
            InUseError: the queue is another session's alone.
        """
        if queue.owner:
            raise InUseError(f"queue '{queue.name}' belongs to another connection")
        self.node.idle_queues.used(queue)
        taking = Taking(self, queue, most, seconds, then)
        if wait_seconds > 0:
            taking.wait(wait_seconds)
        queue.dispatcher.queue_up(taking.consumer)
        self.node.touched(queue.dispatcher)
        self.node.wrote(taking)
        return taking

    def lease(self, lease_id: str) -> Lease:
        """The lease of an id.

        Raises:
            NotHeldError: it is over, or never was.
        """
        lease = self._by_id.get(lease_id)
        if lease is None:
            raise NotHeldError(f"no message is held under '{lease_id}': its time is over, or it is settled")
        return lease

    def settle(self, leases: Iterable[Lease]) -> None:
        """These messages, which are all held, are done."""
        takings: dict[Taking, None] = {}
        for lease in leases:
            del self._by_id[lease.id]
            lease.taking.consumer.acknowledge(lease.seq, lease.taking.consumer.unacknowledged[lease.seq])
            takings[lease.taking] = None
        for taking in takings:
            taking.consumer.settle()
            self._leave(taking)
        self.node.store.want()

    def release(self, lease: Lease, delay_ms: int = 0) -> None:
        """A message goes back to its place, or comes again later."""
        if delay_ms:
            lease.queue.open_redelivery()
        del self._by_id[lease.id]
        consumer = lease.taking.consumer
        consumer.dispatcher.reject(consumer.take_out([lease.seq]), consumer, delay_ms)
        self.node.touched(consumer.dispatcher)
        self._leave(lease.taking)

    def touch(self, lease: Lease, seconds: float) -> None:
        """A message is held for so long from now on, under a new id."""
        del self._by_id[lease.id]
        lease.id = self._new_id()
        lease.until = self.node.clock.monotonic() + seconds
        self._by_id[lease.id] = lease
        self.look_at(lease.until, lease)

    # -- called by `Taking`

    def lease_out(self, taking: Taking, taken: Sequence[tuple[int, bytes, int, bool]], until: float) -> list[Lease]:
        """Messages (number, record, deliveries, whether they may be repeats) have been given to a taker."""
        epoch, numbers = self._epoch, self._numbers
        leases = [Lease(taking, f"{epoch}-{next(numbers)}", *message, until) for message in taken]
        self._by_id.update({lease.id: lease for lease in leases})
        return leases

    def forget(self, taking: Taking) -> None:
        """What it holds is no longer leased."""
        for lease in taking.leases:
            self._by_id.pop(lease.id, None)

    def look_at(self, when: float, what: Lease | Taking) -> None:
        """Something may be due then: a lease that was prolonged, or all of a taking that were not; or it gives up."""
        if not self._deadlines or when < self._deadlines[0][0]:
            self._sooner.set()
        heapq.heappush(self._deadlines, (when, next(self._numbers), what))
        if len(self._deadlines) > self._tidy_at:
            # Most are of messages that were settled in time.
            self._deadlines = [entry for entry in self._deadlines if self._is_awaited(*entry)]
            heapq.heapify(self._deadlines)
            self._tidy_at = _STALE_FACTOR * len(self._deadlines) + _STALE_MIN

    def _is_awaited(self, when: float, _number: int, what: Lease | Taking) -> bool:
        if isinstance(what, Lease):
            return self._is_due(what, when)
        return what.patience == when if what.waits else any(self._is_due(lease, when) for lease in what.leases)

    def _is_due(self, lease: Lease, when: float) -> bool:
        return lease.until == when and self._by_id.get(lease.id) is lease

    # -- deadlines

    def look_at_deadlines(self) -> float:
        """Do what is due. Returns in how many seconds something may be due again; infinity for never."""
        now = self.node.clock.monotonic()
        while self._deadlines and self._deadlines[0][0] <= now:
            when, number, what = heapq.heappop(self._deadlines)
            if not self._is_awaited(when, number, what):
                continue
            if isinstance(what, Taking) and what.waits:
                what.give_up()
                continue
            for lease in [what] if isinstance(what, Lease) else what.leases:
                if self._is_due(lease, when):
                    self.release(lease)
        return self._deadlines[0][0] - now if self._deadlines else float("inf")

    async def serve(self) -> None:
        """Look at deadlines for as long as the broker runs."""
        while True:
            self._sooner = trio.Event()
            seconds = self.look_at_deadlines()
            self.node.end_step()
            with trio.move_on_after(seconds):
                await self._sooner.wait()

    def _new_id(self) -> str:
        return f"{self._epoch}-{next(self._numbers)}"

    def _leave(self, taking: Taking) -> None:
        if not taking.consumer.unacknowledged and taking.consumer.open:
            taking.queue.dispatcher.remove(taking.consumer)
            # Its deadline stays for a while, and would keep the messages in memory.
            taking.leases = []
