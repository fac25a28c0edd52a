"""A transaction: messages and acknowledgements that are gathered, and then happen in one step, or not at all.

Storage puts everything that is done in one step of the event loop into one batch, and a batch is all there or not at
all after a crash; so there is nothing else to a commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from segue.broker.consumer import Consumer
from segue.broker.dead_letters import Reason
from segue.broker.deduplication import OnceSend, RecallPendingError
from segue.broker.dispatcher import Dispatcher, remove_identical
from segue.broker.errors import LimitReachedError, NotFoundError
from segue.broker.pressure import Pressure

__all__ = ["Target", "Transaction"]

_SEND_BYTES_MORE: Final = 256
"""What a gathered message takes in memory beside its record, roughly."""


class Target(Protocol):
    """A queue, a topic or a list of these, as a transaction sees it."""

    name: str

    @property
    def open(self) -> bool:
        """False once it is deleted."""

    def check_room(self, messages: int, size: int) -> None:
        """Raises LimitReachedError when so much can't be accepted now."""


class Transaction:
    """One open transaction of a session.

    What is acknowledged in it stays a hole of its cursor: the dicts that hold it stand in `cursor.out` until the end.
    """

    def __init__(self, messages_max: int, bytes_max: int, pressure: Pressure) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._pressure = pressure
        self._memory_bytes = 0  # as it stands in `pressure.transaction_bytes`
        self._messages = 0
        self._bytes = 0
        self._sends: list[tuple[Target, Callable[[bytes], object], bytes]] = []
        self._acknowledged: dict[Consumer, dict[int, int]] = {}
        self._rejected: dict[Consumer, dict[int, int]] = {}
        self._refused: dict[Consumer, dict[int, int]] = {}
        self._delays: dict[Consumer, dict[int, int]] = {}  # of those rejected ones that say so
        self.receipts: list[bytes] = []

    def send(self, target: Target, publish: Callable[[bytes], object], record: bytes) -> None:
        """Gather a message that `publish` will give to `target`.

        Raises:
            LimitReachedError: the transaction would become too large; what it has is unchanged.
        """
        self._check_size(1, len(record))
        self._take_memory(len(record) + _SEND_BYTES_MORE)
        self._count(1, len(record))
        self._sends.append((target, publish, record))

    @property
    def publishes(self) -> bool:
        """True when there are messages in it, and not acknowledgements alone."""
        return bool(self._sends)

    def acknowledge(self, consumer: Consumer, seqs: list[int]) -> None:
        """Gather acknowledgements.

        Raises:
            NotHeldError: the consumer does not hold one of them.
            LimitReachedError: the transaction would become too large; nothing has changed, as above.
        """
        self._hold(self._acknowledged, consumer, seqs)

    def reject(self, consumer: Consumer, seqs: list[int], delay_ms: int | None = None) -> None:
        """Gather negative acknowledgements; raises as `acknowledge`.

        Args:
            consumer: who has the messages.
            seqs: which.
            delay_ms: how much later than the commit they come again; 0 for at once, None for as the queue says.
        """
        self._hold(self._rejected, consumer, seqs)
        if delay_ms is not None:
            self._delays.setdefault(consumer, {}).update(dict.fromkeys(seqs, delay_ms))

    def refuse(self, consumer: Consumer, seqs: list[int]) -> None:
        """Gather messages that are not to be delivered again (see `Session.refuse`); raises as `acknowledge`."""
        self._hold(self._refused, consumer, seqs)

    def commit(self) -> None:
        """Everything happens now, in one step.

        Raises:
            NotFoundError, LimitReachedError: a queue is gone or full; nothing has happened.
            RecallPendingError: what is remembered of publishers has to be read first; nothing has happened.
        """
        self._check_targets()
        for _, publish, record in self._sends:
            publish(record)
        # What returns comes first, or credit from the rest would bring newer messages before it.
        for consumer, held in self._end(self._rejected):
            consumer.release(held)
            for delay_ms, messages in self._by_delay(consumer, held).items():
                consumer.dispatcher.reject(messages, consumer, delay_ms)
        for consumer, held in self._end(self._refused):
            consumer.release(held)
            consumer.dispatcher.condemn(held, Reason.REJECTED, consumer)
        for consumer, held in self._end(self._acknowledged):
            consumer.release(held)
            consumer.dispatcher.settle(consumer, list(held))
        self._give_memory_back()
        for consumer in (*self._rejected, *self._refused):
            consumer.dispatcher.dispatch()

    def abort(self) -> list[Dispatcher]:
        """Nothing happens. Messages are with their consumers again, or go back when these are gone.

        Returns:
            Where something went back; to be dispatched.
        """
        self._give_memory_back()
        touched = []
        for part in (self._acknowledged, self._rejected, self._refused):
            for consumer, held in self._end(part):
                if consumer.open:
                    consumer.restore(held)
                else:
                    consumer.release(held)
                    consumer.dispatcher.give_back(held)
                    touched.append(consumer.dispatcher)
        return touched

    def _end(self, part: dict[Consumer, dict[int, int]]) -> Iterator[tuple[Consumer, dict[int, int]]]:
        for consumer, held in part.items():
            remove_identical(consumer.dispatcher.cursor.out, held)
            yield consumer, held

    def _by_delay(self, consumer: Consumer, held: dict[int, int]) -> dict[int | None, dict[int, int]]:
        delays = self._delays.get(consumer)
        if delays is None:
            return {None: held}
        parts: dict[int | None, dict[int, int]] = {}
        for seq, deliveries in held.items():
            parts.setdefault(delays.get(seq), {})[seq] = deliveries
        return parts

    def _check_targets(self) -> None:
        totals: dict[Target, list[int]] = {}
        pending: RecallPendingError | None = None
        for target, publish, record in self._sends:
            if isinstance(publish, OnceSend):
                try:
                    if target.open and publish.is_repeat():
                        continue  # it takes no place
                except RecallPendingError as error:
                    pending = error  # the others are asked all the same, so that all is read at once
            total = totals.setdefault(target, [0, 0])
            total[0] += 1
            total[1] += len(record)
        if pending is not None:
            raise pending
        for target, (messages, size) in totals.items():
            if not target.open:
                raise NotFoundError(f"'{target.name}' was deleted while the transaction was open")
            target.check_room(messages, size)

    def _hold(self, part: dict[Consumer, dict[int, int]], consumer: Consumer, seqs: list[int]) -> None:
        self._check_size(len(seqs), 0)
        taken = consumer.hold(seqs)
        held = part.get(consumer)
        if held is None:
            held = part[consumer] = {}
            consumer.dispatcher.cursor.out.append(held)
        held.update(taken)
        self._count(len(seqs), 0)

    def _count(self, messages: int, size: int) -> None:
        self._messages += messages
        self._bytes += size

    def _take_memory(self, size: int) -> None:
        if not self._pressure.fits_transactions(self._memory_bytes, size):
            raise LimitReachedError(
                "too much in open transactions of all connections: see memory.transactions_bytes_max; commit earlier,"
                " or try again later"
            )
        self._memory_bytes += size
        self._pressure.transaction_bytes += size

    def _give_memory_back(self) -> None:
        self._pressure.transaction_bytes -= self._memory_bytes
        self._memory_bytes = 0

    def _check_size(self, messages: int, size: int) -> None:
        if self._messages + messages > self._messages_max or self._bytes + size > self._bytes_max:
            raise LimitReachedError(
                "transaction too large: see limits.transaction_messages_max and limits.transaction_bytes_max;"
                " commit more often"
            )
