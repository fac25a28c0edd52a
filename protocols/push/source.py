"""A source of messages to push: one queue, and the consumer by which they are taken from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = ["Arrival", "Source"]


class Arrival(NamedTuple):
    """A message that was taken: where it is from, and what settles it.

    Attributes:
        source: of which it is out.
        seq: its number there.
        record: it.
    """

    source: Source
    seq: int
    record: bytes


class Source:
    """A `Sink` that gathers what it is given in a step, and hands it over at the end of that.

    Attributes:
        queue: which.
        consumer: as the queue sees it.
        blocked: see `Sink`.
    """

    def __init__(
        self,
        node: Node,
        queue: Queue,
        arrived: Callable[[list[Arrival]], None],
        *,
        messages_max: int,
        bytes_max: int,
        blocked: bool = False,
    ) -> None:
        """`arrived` is given what came in a step."""
        self._node = node
        self.queue = queue
        self._arrived = arrived
        self._gathered: list[Arrival] = []
        self.blocked = blocked
        self.consumer: Consumer = queue.dispatcher.add(
            self, prefetch=messages_max, settles=True, session_id=0, window_bytes=bytes_max
        )
        self._look_again()

    def settle(self, arrival: Arrival) -> None:
        """A message is done with. Durable with the open batch."""
        consumer = self.consumer
        if consumer.open:
            consumer.acknowledge(arrival.seq, consumer.unacknowledged[arrival.seq])
            consumer.settle()
            self._node.store.want()

    def set_blocked(self, blocked: bool) -> None:
        """Whether no more is to come."""
        if blocked is not self.blocked:
            self.blocked = blocked
            if not blocked and self.consumer.open:
                self._look_again()

    def leave(self) -> None:
        """Take no more; what is out goes back to its place."""
        if self.consumer.open:
            self.queue.dispatcher.remove(self.consumer)
            self._node.touched(self.queue.dispatcher)

    def _look_again(self) -> None:
        self.queue.dispatcher.queue_up(self.consumer)
        self._node.touched(self.queue.dispatcher)

    # -- Sink

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        self._note()
        self._gathered += [Arrival(self, seq, record) for seq, record in zip(seqs, records, strict=True)]

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self._note()
        self._gathered.append(Arrival(self, seq, record))

    def cancelled(self, reason: str) -> None: ...

    def failed(self, error: Exception) -> None:
        self._node.log.crash("internal.error", error, queue=self.queue.name)
        self.leave()

    def _note(self) -> None:
        if not self._gathered:
            self._node.wrote(self)  # more may come in this step

    # -- segue.broker.node.Output: the end of a step

    def flush_output(self) -> None:
        gathered, self._gathered = self._gathered, []
        self._arrived(gathered)

    def let_go(self) -> None: ...

    def close(self, reason: str) -> None:
        self.leave()

    def abandon(self, reason: str) -> None:
        self.leave()
