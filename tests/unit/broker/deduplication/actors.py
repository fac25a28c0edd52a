"""A publisher that does as a front-end does: it waits where it is told to, and calls again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from segue.broker.deduplication import (
    Acceptance,
    DeduplicationId,
    Identity,
    OnceTarget,
    ProducerNumber,
    RecallPendingError,
)
from segue.broker.node import Node
from segue.broker.queue import Queue
from tests.unit.broker.actors import FakeOutput, World, record

__all__ = ["Publisher", "RunPublisher", "publish", "publish_number"]


class HasNode(Protocol):
    """A world, or something like it."""

    node: Node


class Publisher(FakeOutput):
    """One connection.

    Attributes:
        answers: to what it has sent, in order.
        waits: how often it had to wait.
    """

    def __init__(self, world: HasNode, target: OnceTarget) -> None:
        super().__init__()
        self.world = world
        self.target = target
        self.answers: list[Acceptance] = []
        self.waits = 0
        self._unsent: list[Identity] = []

    def send(self, *identities: Identity) -> None:
        """Send messages, one behind the other."""
        self._unsent += identities
        if len(self._unsent) == len(identities):
            self._go_on()
        self.world.node.end_step()

    def let_go(self) -> None:
        super().let_go()
        self._go_on()

    def _go_on(self) -> None:
        while self._unsent:
            try:
                answer = self.target.publish_once(self._unsent[0], record("x"))
            except RecallPendingError as pending:
                self.waits += 1
                pending.wait(self)
                return
            self.answers.append(answer)
            del self._unsent[0]


class RunPublisher(Publisher):
    """A connection that sends all of its messages at once: together if they are new, one by one if one may not be."""

    def __init__(self, world: HasNode, queue: Queue, identity: Identity, values: Sequence[str]) -> None:
        """`identity`: of the kind, and the producer, that each value makes `another` of."""
        super().__init__(world, queue)
        self._queue = queue
        self._identity = identity
        self._values = [value.encode("utf-8", "surrogatepass") for value in values]

    def send_all(self) -> None:
        """Send them."""
        self.send(*map(self._identity.another, self._values))

    def _go_on(self) -> None:
        if not self._unsent:
            return
        try:
            seqs = self._queue.publish_new(self._identity, self._values, [record("x")] * len(self._values))
        except RecallPendingError as pending:
            self.waits += 1
            pending.wait(self)
            return
        if seqs is None:
            waits = self.waits
            super()._go_on()
            assert self.waits == waits, "all that may be on disk was asked for"
            return
        for seq, value in zip(seqs, self._values, strict=True):
            self.answers.append(Acceptance(seq, False, int(value) if self._identity.is_numbered else None))
        self._unsent.clear()


def publish(world: World, queue: Queue, *ids: str) -> list[bool]:
    """Publish messages with these ids, until all is on disk; returns which were repeats."""
    return [answer.repeat for answer in _answers(world, queue, DeduplicationId(""), ids)]


def publish_number(world: World, queue: Queue, producer: str, *numbers: int) -> list[Acceptance]:
    """Likewise, with numbers of a producer."""
    return _answers(world, queue, ProducerNumber(producer, 0), [str(number) for number in numbers])


def _answers(world: World, queue: Queue, identity: Identity, values: Sequence[str]) -> list[Acceptance]:
    publisher = RunPublisher(world, queue, identity, values)
    publisher.send_all()
    world.store.want()
    world.settle_down()
    assert len(publisher.answers) == len(values)
    return publisher.answers
