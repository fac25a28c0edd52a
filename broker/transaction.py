"""A transaction: messages and acknowledgements that are gathered, and then happen in one step, or not at all.

Storage puts everything that is done in one step of the event loop into one batch, and a batch is all there or not at
all after a crash; so there is nothing else to a commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from segue.broker.consumer import Consumer
from segue.broker.dispatcher import remove_identical
from segue.broker.errors import LimitReachedError, NotFoundError

__all__ = ["Target", "Transaction"]


class Target(Protocol):
    """A queue or a topic, as a transaction sees it."""

    name: str
    open: bool

    def check_room(self, messages: int, size: int) -> None:
        """Raises LimitReachedError when so much can't be accepted now."""


class Transaction:
    """One open transaction of a session.

    What is acknowledged in it stays a hole of its cursor: `_held` dicts are registered there until the end.
    """

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._sends: list[tuple[Target, Callable[[bytes], object], bytes]] = []
        self._acknowledged: dict[Consumer, dict[int, int]] = {}
        self._rejected: dict[Consumer, dict[int, int]] = {}
        self.receipts: list[bytes] = []

    def send(self, target: Target, publish: Callable[[bytes], object], record: bytes) -> None:
        """Gather a message that `publish` will give to `target`.

        Raises:
            LimitReachedError: the transaction would become too large; what it has is unchanged.
        """
        self._count(len(record))
        self._sends.append((target, publish, record))

    def acknowledge(self, consumer: Consumer, seqs: list[int]) -> None:
        """Gather acknowledgements.

        Raises:
            NotHeldError: the consumer does not hold one of them.
            LimitReachedError: the transaction would become too large.
        """
        self._hold(self._acknowledged, consumer, seqs)

    def reject(self, consumer: Consumer, seqs: list[int]) -> None:
        """Gather negative acknowledgements; raises as `acknowledge`."""
        self._hold(self._rejected, consumer, seqs)

    def commit(self) -> None:
        """Everything happens now, in one step.

        Raises:
            NotFoundError, LimitReachedError: a queue is gone or full; nothing has happened.
        """
        self._check_targets()
        for _, publish, record in self._sends:
            publish(record)
        for consumer, held in self._acknowledged.items():
            remove_identical(consumer.dispatcher.cursor.out, held)
            consumer.dispatcher.settle(consumer, list(held))
        for consumer, held in self._rejected.items():
            remove_identical(consumer.dispatcher.cursor.out, held)
            consumer.dispatcher.give_back(held, consumer)

    def abort(self, consumers_live: bool) -> None:
        """Nothing happens. Messages are with their consumers again, or go back when these are gone."""
        for part in (self._acknowledged, self._rejected):
            for consumer, held in part.items():
                remove_identical(consumer.dispatcher.cursor.out, held)
                if consumers_live and consumer in consumer.dispatcher.consumers:
                    consumer.unacknowledged.update(held)
                else:
                    consumer.dispatcher.give_back(held)

    def _check_targets(self) -> None:
        totals: dict[Target, list[int]] = {}
        for target, _, record in self._sends:
            total = totals.setdefault(target, [0, 0])
            total[0] += 1
            total[1] += len(record)
        for target, (messages, size) in totals.items():
            if not target.open:
                raise NotFoundError(f"'{target.name}' was deleted while the transaction was open")
            target.check_room(messages, size)

    def _hold(self, part: dict[Consumer, dict[int, int]], consumer: Consumer, seqs: list[int]) -> None:
        taken = consumer.take_out(seqs)
        held = part.get(consumer)
        if held is None:
            held = part[consumer] = {}
            consumer.dispatcher.cursor.out.append(held)
        held.update(taken)
        self._count(0, len(seqs))

    def _count(self, size: int, messages: int = 1) -> None:
        self._messages_max -= messages
        self._bytes += size
        if self._messages_max < 0 or self._bytes > self._bytes_max:
            raise LimitReachedError(
                "transaction too large: see limits.transaction_messages_max and limits.transaction_bytes_max;"
                " commit more often"
            )
