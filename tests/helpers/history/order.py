"""The rules of order: first deliveries rise, and what was returned comes before what was never out."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.helpers.history.account import Account, Connection, Delivery, Message
from tests.helpers.history.violation import Kind, Violation, describe

__all__ = ["find_out_of_order", "find_overtaken", "find_sole_consumer_out_of_order"]


class _Order:
    """Remembers what has been seen, and proves that a message should have come earlier.

    The order of acceptance is known for the messages of one producer's connection (`position`), and wherever one
    message was confirmed, or its broker had ended, before another was sent.
    """

    def __init__(self) -> None:
        self._latest: Message | None = None
        self._highest: dict[str, Message] = {}

    def later_than(self, message: Message) -> Message | None:
        """Return a message that was seen and surely accepted after this one."""
        highest = self._highest.get(message.producer.name)
        if highest is not None and highest.position > message.position:
            return highest
        if self._latest is not None and message.accepted_before < self._latest.accepted_after:
            return self._latest
        return None

    def add(self, message: Message) -> None:
        highest = self._highest.get(message.producer.name)
        if highest is None or message.position > highest.position:
            self._highest[message.producer.name] = message
        if self._latest is None or message.accepted_after > self._latest.accepted_after:
            self._latest = message

    def copy(self) -> _Order:
        copy = _Order()
        copy._latest, copy._highest = self._latest, dict(self._highest)
        return copy


def find_out_of_order(account: Account) -> Iterator[Violation]:
    """First deliveries rise: on each connection, and from what was read before a connection was opened to what it gets.

    Between two connections that are open at the same time nothing is proved: each reads when it likes.
    """
    earlier = {queue: _Earlier(deliveries) for queue, deliveries in _first_deliveries(account).items()}
    streams = sorted(account.streams().items(), key=lambda item: account.connections[item[0][0]].opened)
    for (name, queue), stream in streams:
        if queue not in earlier:
            continue
        order = earlier[queue].than(account.connections[name].opened)
        for delivery in stream:
            if delivery.message is None or not _is_first(delivery):
                continue
            later = order.later_than(delivery.message)
            if later is not None:
                yield Violation(Kind.OUT_OF_ORDER, delivery.message.name, f"{describe(delivery)} after {later.name}")
            order.add(delivery.message)


class _Earlier:
    """What had been read of a queue before each of a rising series of times."""

    def __init__(self, first: list[Delivery]) -> None:
        self._first = first
        self._index = 0
        self._order = _Order()

    def than(self, at: float) -> _Order:
        while self._index < len(self._first) and self._first[self._index].at < at:
            message = self._first[self._index].message
            assert message is not None
            self._order.add(message)
            self._index += 1
        return self._order.copy()


def _first_deliveries(account: Account) -> dict[str, list[Delivery]]:
    """Per queue, in the order of reading, the deliveries that the broker called first ones and that were."""
    by_queue: dict[str, list[Delivery]] = defaultdict(list)
    for delivery in account.deliveries:
        if _is_first(delivery):
            by_queue[delivery.event.queue].append(delivery)
    return by_queue


def _is_first(delivery: Delivery) -> bool:
    """A flagged delivery may be the second of one that nobody read, so it says nothing about first deliveries."""
    message = delivery.message
    return message is not None and not delivery.event.redelivered and message.deliveries[0] is delivery


def find_sole_consumer_out_of_order(account: Account) -> Iterator[Violation]:
    """The first consumer of a queue after a start, while it is alone, gets everything in the order of acceptance.

    Returned or unread, flagged or not: nobody else can have kept or brought back anything meanwhile.
    """
    for (name, queue), stream in account.streams().items():
        connection = account.connections[name]
        alone_until = _alone_until(account, connection, queue)
        order = _Order()
        seen: set[str] = set()
        for delivery in stream:
            message = delivery.message
            if message is None or message.name in seen or delivery.at >= alone_until:
                continue
            later = order.later_than(message)
            if later is not None and not _is_first(delivery):
                yield Violation(Kind.OUT_OF_ORDER, message.name, f"{describe(delivery)} after {later.name}")
            order.add(message)
            seen.add(message.name)


def _alone_until(account: Account, connection: Connection, queue: str) -> float:
    mine = connection.subscribed.get(queue, math.inf)
    others = [other.subscribed[queue] for other in account.consumers(connection.life, queue) if other is not connection]
    return -math.inf if any(other <= mine for other in others) else min(others, default=math.inf)


def find_overtaken(account: Account) -> Iterator[Violation]:
    """Once a message is back in its queue, nothing unread may be given out before it.

    It was surely back at `returned_at`. An unread one was surely given out after that if its connection was opened
    after that, or is the one that had read the receipt of its own NACK; and surely before the message's next delivery
    if both are on one connection, or if that one's connection was opened after the unread one had been read.

    It proves nothing when another consumer may have gone: the message may have been on its way to that one, and the
    broker may have noticed late, or the client.
    """
    first = {queue: _FirstDeliveries(deliveries) for queue, deliveries in _first_deliveries(account).items()}
    for message in account.messages.values():
        for before, delivery in pairwise(message.deliveries):
            if not delivery.is_certain or message.queue not in first:
                continue
            overtaking = first[message.queue].between(before, delivery)
            if overtaking is not None and not _other_consumer_left(account, before, delivery):
                proof = f"{describe(before)}, then {describe(overtaking)}, then {describe(delivery)}"
                yield Violation(Kind.OVERTAKEN, message.name, proof)


def _other_consumer_left(account: Account, before: Delivery, again: Delivery) -> bool:
    return any(
        other.alive_until < again.at
        and not (other.lost is not None and other.lost.settled and other.lost.at <= before.returned_at)
        for other in account.consumers(again.connection.life, again.event.queue)
        if other is not again.connection
    )


class _FirstDeliveries:
    """The first deliveries of one queue, in the order of reading, prepared for `between`."""

    def __init__(self, deliveries: list[Delivery]) -> None:
        self._times = [delivery.at for delivery in deliveries]
        self._latest_opened: list[Delivery] = []
        self._by_connection: dict[str, list[Delivery]] = defaultdict(list)
        latest: Delivery | None = None
        for delivery in deliveries:
            if latest is None or delivery.connection.opened > latest.connection.opened:
                latest = delivery
            self._latest_opened.append(latest)
            self._by_connection[delivery.connection.name].append(delivery)

    def between(self, before: Delivery, again: Delivery) -> Delivery | None:
        """A first delivery that surely left after `before` was returned and before `again` left, in the same life.

        In another life proves nothing: a message that was on its way when the broker died came back unseen.
        """
        index = bisect.bisect_left(self._times, again.connection.opened) - 1
        if index >= 0:
            unread = self._latest_opened[index]
            same_life = unread.connection.life is again.connection.life
            if same_life and unread.connection.opened > before.returned_at:
                return unread
        same = self._by_connection.get(again.connection.name, [])
        index = bisect.bisect_left(same, again.at, key=lambda delivery: delivery.at) - 1
        if index < 0:
            return None
        unread = same[index]
        nacked_here = again.connection is before.connection and unread.at > before.nack_confirmed
        return unread if nacked_here or again.connection.opened > before.returned_at else None
