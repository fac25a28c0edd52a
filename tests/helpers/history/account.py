"""Puts a history in order: which message, delivery, transaction and connection went through what, and when.

Nothing is judged here but the writing of the history itself. What a client cannot know is kept as a bound: a message
was accepted somewhere between `accepted_after` and `accepted_before`, a delivery was held at least from `at` to
`held_until`.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.helpers.history.events import (
    AckConfirmed,
    AckSent,
    BrokerEnded,
    BrokerStarted,
    Delivered,
    Drained,
    Event,
    Lost,
    NackConfirmed,
    NackSent,
    Opened,
    PublishConfirmed,
    PublishSent,
    Subscribed,
    TransactionConfirmed,
    TransactionSent,
)

__all__ = ["Account", "Connection", "Delivery", "Life", "MalformedHistory", "Message", "Transaction", "open_account"]


class MalformedHistory(ValueError):
    """The history breaks the rules of writing, so that nothing can be concluded from it."""


@dataclass(slots=True)
class Life:
    """One start of the broker to its end."""

    started: float
    ended: float = math.inf
    end_began: float = math.inf
    killed: bool = False


@dataclass(slots=True)
class Connection:
    """One login.

    Attributes:
        proven_until: When the last request left that the broker answered.
        subscribed: When each queue was subscribed to.
    """

    name: str
    opened: float
    life: Life
    lost: Lost | None = None
    proven_until: float = -math.inf
    subscribed: dict[str, float] = field(default_factory=dict)

    @property
    def alive_until(self) -> float:
        """Until when the broker surely took this connection for alive.

        A connection that the broker closed in peace may have been over for long when its client read what was left in
        the socket: then only an answered request proves anything.
        """
        if self.lost is None:
            return math.inf
        closed_in_peace = self.lost.by == "broker" and not (self.life.killed and self.lost.at >= self.life.end_began)
        ended = self.proven_until if closed_in_peace else self.lost.at
        return ended if self.lost.began is None else min(ended, self.lost.began)


@dataclass(slots=True)
class Transaction:
    """SENDs and ACKs that take effect together; `outcome` None: neither COMMIT nor ABORT was sent."""

    name: str
    connection: Connection
    outcome: TransactionSent | None = None
    confirmed_at: float | None = None
    messages: list[Message] = field(default_factory=list)
    acks: list[Delivery] = field(default_factory=list)

    @property
    def is_committed(self) -> bool:
        """COMMIT was sent; whether it took effect is known only when it was confirmed."""
        return self.outcome is not None and self.outcome.outcome == "commit"


@dataclass(slots=True)
class Message:
    """One published message.

    Attributes:
        position: Its place among what its connection published; the messages of a transaction stand where COMMIT does.
    """

    name: str
    queue: str
    digest: str
    producer: Connection
    sent: float
    position: tuple[int, int]
    transaction: Transaction | None = None
    confirmed_at: float | None = None
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def may_exist(self) -> bool:
        return self.transaction is None or self.transaction.is_committed

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None

    @property
    def accepted_after(self) -> float:
        outcome = self.transaction.outcome if self.transaction is not None else None
        return outcome.at if outcome is not None else self.sent

    @property
    def accepted_before(self) -> float:
        return self.producer.life.ended if self.confirmed_at is None else self.confirmed_at


@dataclass(slots=True)
class Delivery:
    """One MESSAGE on one connection, and what its consumer did with it."""

    event: Delivered
    connection: Connection
    message: Message | None
    ack_sent: float = math.inf
    ack_confirmed: float = math.inf
    nack_sent: float = math.inf
    nack_confirmed: float = math.inf

    @property
    def at(self) -> float:
        return self.event.at

    @property
    def is_certain(self) -> bool:
        """Whether the broker still held the connection for alive when the message was read."""
        return self.at <= self.connection.alive_until

    @property
    def held_until(self) -> float:
        """Until when the message was surely out with this consumer."""
        return min(self.ack_sent, self.nack_sent, self.connection.alive_until)

    @property
    def may_be_settled(self) -> bool:
        return self.ack_sent < math.inf

    @property
    def is_settled(self) -> bool:
        return self.ack_confirmed < math.inf

    @property
    def returned_at(self) -> float:
        """From when on the message was surely back in its queue, if its acknowledgement did not take effect."""
        lost = self.connection.lost
        left = lost.at if lost is not None and lost.settled else math.inf
        return min(self.nack_confirmed, left, self.connection.life.ended)


@dataclass(slots=True)
class Account:
    """The whole history, in order.

    Attributes:
        strangers: Deliveries of messages that nobody published.
        drained: When each queue was read to its end.
    """

    messages: dict[str, Message] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    strangers: list[Delivery] = field(default_factory=list)
    drained: dict[str, float] = field(default_factory=dict)
    _consumers: dict[tuple[float, str], list[Connection]] = field(default_factory=lambda: defaultdict(list))

    def streams(self) -> dict[tuple[str, str], list[Delivery]]:
        """What each connection was given from each queue, in order."""
        streams: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
        for delivery in self.deliveries:
            streams[delivery.connection.name, delivery.event.queue].append(delivery)
        return streams

    def consumers(self, life: Life, queue: str) -> list[Connection]:
        """Who subscribed to a queue during one life of the broker."""
        if not self._consumers:
            for connection in self.connections.values():
                for name in connection.subscribed:
                    self._consumers[connection.life.started, name].append(connection)
        return self._consumers[life.started, queue]


def open_account(events: Iterable[Event]) -> Account:
    """Sort the events and enter them.

    Raises:
        MalformedHistory: An event refers to what is not there, or follows the end of its connection.
    """
    clerk = _Clerk()
    for event in sorted(events, key=lambda event: event.at):
        clerk.enter(event)
    return clerk.account


class _Clerk:
    """Enters one event after the other, in the order of time."""

    def __init__(self) -> None:
        self.account = Account()
        self._lives: list[Life] = []
        self._by_number: dict[tuple[str, int], Delivery] = {}
        self._places = itertools.count()

    def enter(self, event: Event) -> None:
        match event:
            case BrokerStarted() | BrokerEnded():
                self._enter_broker(event)
            case Opened():
                self._open(event)
            case _:
                self._enter_client(event, self._connection(event))

    def _enter_broker(self, event: Event) -> None:
        if isinstance(event, BrokerEnded):
            life = self._life(event)
            life.ended, life.end_began, life.killed = event.at, event.began, event.killed
            return
        alive = [name for name, connection in self.account.connections.items() if connection.lost is None]
        if alive:
            raise MalformedHistory(f"the broker was started while these had not seen it end: {alive}")
        self._lives.append(Life(event.at))

    def _life(self, event: Event) -> Life:
        if not self._lives:
            raise MalformedHistory(f"no broker has been started before {event}")
        return self._lives[-1]

    def _open(self, event: Opened) -> None:
        if event.connection in self.account.connections:
            raise MalformedHistory(f"opened twice: {event}")
        life = self._life(event)
        self.account.connections[event.connection] = Connection(event.connection, event.at, life)

    def _connection(self, event: Event) -> Connection:
        connection = self.account.connections.get(event.connection)
        if connection is None:
            raise MalformedHistory(f"not opened: {event}")
        if connection.lost is not None:
            raise MalformedHistory(f"after the end of its connection: {event}")
        return connection

    def _enter_client(self, event: Event, connection: Connection) -> None:
        match event:
            case Lost():
                connection.lost = event
            case Subscribed():
                connection.subscribed[event.queue] = event.at
            case Drained():
                self.account.drained[event.queue] = event.at
            case PublishSent() | PublishConfirmed():
                self._enter_publish(event, connection)
            case Delivered():
                self._deliver(event, connection)
            case TransactionSent() | TransactionConfirmed():
                self._enter_transaction(event, connection)
            case AckSent() | AckConfirmed() | NackSent() | NackConfirmed():
                self._enter_settlement(event, connection)
            case _:
                raise MalformedHistory(f"unknown event: {event}")

    def _enter_publish(self, event: PublishSent | PublishConfirmed, connection: Connection) -> None:
        if isinstance(event, PublishConfirmed):
            message = self.account.messages.get(event.message)
            if message is None:
                raise MalformedHistory(f"confirms what was not published: {event}")
            message.confirmed_at = event.at
            connection.proven_until = max(connection.proven_until, message.sent)
            return
        if event.message in self.account.messages:
            raise MalformedHistory(f"published twice: {event}")
        transaction = self._transaction(event.transaction, connection)
        place = next(self._places)
        message = Message(event.message, event.queue, event.digest, connection, event.at, (place, place), transaction)
        self.account.messages[event.message] = message
        if transaction is not None:
            transaction.messages.append(message)

    def _transaction(self, name: str | None, connection: Connection) -> Transaction | None:
        if name is None:
            return None
        return self.account.transactions.setdefault(name, Transaction(name, connection))

    def _deliver(self, event: Delivered, connection: Connection) -> None:
        message = self.account.messages.get(event.message)
        delivery = Delivery(event, connection, message)
        self._by_number[connection.name, event.number] = delivery
        if message is None:
            self.account.strangers.append(delivery)
            return
        self.account.deliveries.append(delivery)
        message.deliveries.append(delivery)

    def _enter_transaction(self, event: TransactionSent | TransactionConfirmed, connection: Connection) -> None:
        transaction = self.account.transactions.setdefault(
            event.transaction, Transaction(event.transaction, connection)
        )
        if isinstance(event, TransactionSent):
            transaction.outcome = event
            self._end_transaction(transaction, event)
            return
        assert transaction.outcome is not None
        connection.proven_until = max(connection.proven_until, transaction.outcome.at)
        transaction.confirmed_at = event.at
        if transaction.is_committed:
            for message in transaction.messages:
                message.confirmed_at = event.at
            for delivery in transaction.acks:
                delivery.ack_confirmed = event.at

    def _end_transaction(self, transaction: Transaction, event: TransactionSent) -> None:
        place = next(self._places)
        for message in transaction.messages:
            message.position = (place, message.position[1])
        if transaction.is_committed:
            for delivery in transaction.acks:
                delivery.ack_sent = event.at

    def _enter_settlement(
        self, event: AckSent | AckConfirmed | NackSent | NackConfirmed, connection: Connection
    ) -> None:
        delivery = self._by_number.get((connection.name, event.number))
        if delivery is None:
            raise MalformedHistory(f"settles what was not delivered: {event}")
        match event:
            case AckSent(transaction=None):
                delivery.ack_sent = event.at
            case AckSent():
                transaction = self._transaction(event.transaction, connection)
                assert transaction is not None
                transaction.acks.append(delivery)
            case AckConfirmed():
                delivery.ack_confirmed = event.at
                connection.proven_until = max(connection.proven_until, delivery.ack_sent)
            case NackSent():
                delivery.nack_sent = event.at
            case NackConfirmed():
                delivery.nack_confirmed = event.at
                connection.proven_until = max(connection.proven_until, delivery.nack_sent)
