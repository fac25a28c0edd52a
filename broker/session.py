"""A session: one authenticated peer, what it has subscribed to, its open transactions, its temporary queues.

Whatever ends a session ends all of it: transactions abort, messages go back to their places, temporary queues die.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from segue.broker.consumer import Consumer, Sink
from segue.broker.dead_letters import Reason
from segue.broker.dispatcher import Dispatcher
from segue.broker.errors import InUseError, LimitReachedError, NotFoundError, NotSupportedError, TransactionError
from segue.broker.queue import Queue, TemporaryQueue
from segue.broker.queue_options import NO_OPTIONS, QueueOptions
from segue.broker.selector import Selector
from segue.broker.topic import DurableSubscription, TopicSubscription
from segue.broker.transaction import Transaction

if TYPE_CHECKING:
    from segue.broker.node import Node, Output

__all__ = ["Session", "Subscription"]


class Subscription:
    """One consumer of a session, and what is to be done when it ends."""

    __slots__ = ("consumer", "ended", "source")

    def __init__(
        self,
        consumer: Consumer,
        source: Queue | TopicSubscription | DurableSubscription,
        ended: Callable[[], None] | None,
    ) -> None:
        self.consumer = consumer
        self.source = source
        self.ended = ended


class Session:
    """See the module.

    Attributes:
        id: never used again in this process.
        user, peer, protocol: for operators.
    """

    def __init__(self, node: Node, session_id: int, user: str, peer: str, protocol: str, output: Output) -> None:
        self.node = node
        self.id = session_id
        self.user = user
        self.peer = peer
        self.protocol = protocol
        self.output = output
        self.opened_ms = node.clock.wall.now_ms()
        self.client_id = ""
        self.subscriptions: list[Subscription] = []
        self._transactions: dict[str, Transaction] = {}
        self._temporary: dict[str, TemporaryQueue] = {}
        self._exclusive: list[Queue] = []

    # -- subscriptions

    def subscribe_queue(
        self,
        queue: Queue,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        exclusive: bool = False,
        window_bytes: int = 0,
        selector: Selector | None = None,
        rank: int = 0,
        alone: bool = False,
    ) -> Subscription:
        """Consume from a queue.

        Args:
            queue: which one.
            sink: where deliveries go.
            prefetch: how many may be out and not acknowledged.
            settles: the peer acknowledges.
            window_bytes: most octets that may be out, 0 for no such bound.
            exclusive: refuse other sessions.
            selector: which messages are wanted; the others stay for others.
            rank: of several consumers, those of the highest rank are served first.
            alone: as long as it is there, others get nothing (ActiveMQ's exclusive consumer).

        Raises:
            InUseError: another session owns it, or `exclusive` is asked for and it has consumers.
            LimitReachedError: limits.subscriptions_per_connection_max.
        """
        self._check_subscriptions()
        if queue.owner not in (0, self.id):
            raise InUseError(f"queue '{queue.name}' belongs to another connection")
        if exclusive and queue.owner == 0:
            if queue.dispatcher.consumers:
                raise InUseError(f"queue '{queue.name}' has other consumers")
            queue.owner = self.id
        if selector is not None:
            queue.look_ahead()
        consumer = queue.dispatcher.add(
            sink,
            prefetch=prefetch,
            settles=settles,
            session_id=self.id,
            window_bytes=window_bytes,
            selector=selector,
            rank=rank,
            exclusive=alone,
        )
        return self._begin(consumer, queue, lambda: self._left_queue(queue))

    def check_owner(self, queue: Queue) -> None:
        """Raises InUseError when a queue is there for another session alone: nobody else may look into it."""
        if queue.exclusive and queue.owner != self.id:
            raise InUseError(f"queue '{queue.name}' belongs to another connection")

    def exclusive_queue(self, name: str, *, auto_delete: bool = False, options: QueueOptions = NO_OPTIONS) -> Queue:
        """A queue of a name, made for this session alone and until its end; one that is there already stays as it is.

        Raises:
            LimitReachedError: limits.queues_max.
        """
        queue = self.node.queues.get(name)
        if queue is None:
            queue = self.node.declare_queue(name, auto_delete=auto_delete, exclusive_to=self.id, options=options)
            self._exclusive.append(queue)
        return queue

    def subscribe_topic(
        self,
        pattern: str,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        no_local: bool = False,
        window_bytes: int = 0,
        selector: Selector | None = None,
    ) -> Subscription:
        """A non-durable subscription: what was retained, then what is published from now on, and selected.

        Raises:
            LimitReachedError: limits.subscriptions_per_connection_max.
        """
        self._check_subscriptions()
        buffer = self.node.buffer_topic(pattern)
        buffer.subscriber, buffer.no_local, buffer.selector = self.id, no_local, selector
        consumer = buffer.dispatcher.add(
            sink, prefetch=prefetch, settles=settles, session_id=self.id, window_bytes=window_bytes
        )
        self.node.retained.give(buffer)
        return self._begin(consumer, buffer, lambda: self.node.unbuffer_topic(buffer))

    def subscribe_durable(
        self,
        name: str,
        pattern: str,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        window_bytes: int = 0,
        shared: bool = False,
        selector: Selector | None = None,
    ) -> Subscription:
        """A durable subscription, made when there is none of that name.

        With another pattern or selector it begins anew, as in JMS.

        Raises:
            InUseError: it has a consumer already, and is not `shared`, or that one is for something else.
            LimitReachedError: limits.subscriptions_per_connection_max, or limits.queues_max.
        """
        self._check_subscriptions()
        topics = self.node.topics
        subscription = topics.durable(name)
        if (
            subscription is not None
            and subscription.dispatcher.consumers
            and not (shared and subscription.is_for(pattern, selector))
        ):
            raise InUseError(f"durable subscription '{name}' has a consumer already")
        if subscription is None:
            self.node.check_queues()
        elif not subscription.is_for(pattern, selector):
            topics.delete_durable(subscription)
            subscription = None
        if subscription is None:
            subscription = topics.create_durable(name, pattern, self.node.settings.limits.queue_in_flight_max, selector)
        consumer = subscription.dispatcher.add(
            sink, prefetch=prefetch, settles=settles, session_id=self.id, window_bytes=window_bytes
        )
        return self._begin(consumer, subscription, None)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; what is out with it goes back to its place."""
        self.subscriptions.remove(subscription)
        consumer = subscription.consumer
        if consumer.open:
            consumer.dispatcher.remove(consumer)
            self.node.touched(consumer.dispatcher)
            if subscription.ended is not None:
                subscription.ended()

    def give_back(self, consumer: Consumer, seqs: list[int], delay_ms: int | None = None) -> None:
        """Messages that are out with a consumer of this session come again: at once in their places, or later.

        Args:
            consumer: who has them.
            seqs: which.
            delay_ms: how much later; 0 for at once, None for as the queue says.

        Raises:
            NotHeldError: one of them is not out with it; nothing has changed.
            NotSupportedError: there is a delay, and this is no durable queue; nothing has changed.
        """
        if delay_ms:
            self.open_redelivery(consumer)
        consumer.dispatcher.reject(consumer.take_out(seqs), consumer, delay_ms)
        self.node.touched(consumer.dispatcher)

    def open_redelivery(self, consumer: Consumer) -> None:
        """What a consumer of this session returns may be put off from now on.

        Raises:
            NotSupportedError: this is no durable queue.
        """
        source = next((one.source for one in self.subscriptions if one.consumer is consumer), None)
        if type(source) is not Queue:
            raise NotSupportedError("messages can be put off in durable queues only")
        source.open_redelivery()

    def refuse(self, consumer: Consumer, seqs: list[int]) -> None:
        """Messages that are out with a consumer of this session are not to be delivered again: see dead_letters.py.

        Raises:
            NotHeldError: one of them is not out with it; nothing has changed.
        """
        consumer.dispatcher.condemn(consumer.take_out(seqs), Reason.REJECTED, consumer)
        self.node.touched(consumer.dispatcher)

    def delete_durable(self, name: str) -> None:
        """Delete a durable subscription with what it still owes.

        Raises:
            NotFoundError: there is none.
            InUseError: another session consumes from it.
        """
        subscription = self.node.topics.durable(name)
        if subscription is None:
            raise NotFoundError(f"no durable subscription '{name}'")
        if subscription.dispatcher.consumers:
            raise InUseError(f"durable subscription '{name}' has a consumer")
        self.node.topics.delete_durable(subscription)
        self.node.store.want()

    # -- temporary queues

    def temporary_queue(self, name: str) -> TemporaryQueue:
        """This session's private queue of a name; made when there is none."""
        queue = self._temporary.get(name)
        if queue is None:
            maximum = self.node.settings.limits.temporary_queues_per_connection_max
            if len(self._temporary) >= maximum:
                raise LimitReachedError(f"limits.temporary_queues_per_connection_max ({maximum}) is reached")
            queue = self._temporary[name] = self.node.create_temporary(f"{self.id}-{name}", self.id)
        return queue

    # -- transactions

    def begin(self, name: str) -> None:
        """Open a transaction.

        Raises:
            TransactionError: one of that name is open.
            LimitReachedError: limits.transactions_per_connection_max.
        """
        limits = self.node.settings.limits
        if name in self._transactions:
            raise TransactionError(f"transaction '{name}' is open already")
        if len(self._transactions) >= limits.transactions_per_connection_max:
            raise LimitReachedError(
                f"limits.transactions_per_connection_max ({limits.transactions_per_connection_max}) is reached"
            )
        self._transactions[name] = Transaction(
            limits.transaction_messages_max, limits.transaction_bytes_max, self.node.pressure
        )

    def has_transaction(self, name: str) -> bool:
        """True when one of that name is open."""
        return name in self._transactions

    def transaction(self, name: str) -> Transaction:
        """An open transaction.

        Raises:
            TransactionError: there is none of that name.
        """
        transaction = self._transactions.get(name)
        if transaction is None:
            raise TransactionError(f"no transaction '{name}' is open")
        return transaction

    def commit(self, name: str) -> Transaction:
        """Carry out a transaction in this step. Raises as `transaction`."""
        transaction = self.transaction(name)
        transaction.commit()
        del self._transactions[name]
        self.node.store.want()
        return transaction

    def abort(self, name: str) -> None:
        """Give a transaction up. Raises as `transaction`."""
        self._abort(self.transaction(name))
        del self._transactions[name]

    # -- the end

    def close(self) -> None:
        """End everything that belongs to this session."""
        self.node.sessions.pop(self.id, None)
        for subscription in list(self.subscriptions):
            self.unsubscribe(subscription)
        for transaction in self._transactions.values():
            self._abort(transaction)
        self._transactions.clear()
        for temporary in self._temporary.values():
            self.node.delete_temporary(temporary)
        self._temporary.clear()
        for queue in self._exclusive:
            if queue.open:
                self.node.delete_queue(queue.name)
        self._exclusive.clear()

    def statistics(self) -> dict[str, Any]:
        """This session for operators."""
        return {
            "id": self.id,
            "user": self.user,
            "peer": self.peer,
            "protocol": self.protocol,
            "opened_ms": self.opened_ms,
            "subscriptions": len(self.subscriptions),
            "in_flight": sum(len(s.consumer.unacknowledged) for s in self.subscriptions),
            "transactions": len(self._transactions),
            "dropped": sum(s.source.dropped for s in self.subscriptions if isinstance(s.source, TopicSubscription)),
        }

    def _abort(self, transaction: Transaction) -> None:
        for dispatcher in transaction.abort():
            self.node.touched(dispatcher)

    def _check_subscriptions(self) -> None:
        maximum = self.node.settings.limits.subscriptions_per_connection_max
        if len(self.subscriptions) >= maximum:
            raise LimitReachedError(f"limits.subscriptions_per_connection_max ({maximum}) is reached")

    def _begin(
        self,
        consumer: Consumer,
        source: Queue | TopicSubscription | DurableSubscription,
        ended: Callable[[], None] | None,
    ) -> Subscription:
        subscription = Subscription(consumer, source, ended)
        self.subscriptions.append(subscription)
        dispatcher: Dispatcher = consumer.dispatcher
        dispatcher.queue_up(consumer)
        self.node.touched(dispatcher)
        return subscription

    def _left_queue(self, queue: Queue) -> None:
        self.node.idle_queues.used(queue)
        lasting = queue.exclusive or isinstance(queue, TemporaryQueue)
        if queue.owner == self.id and not lasting and not queue.dispatcher.consumers:
            queue.owner = 0
        if queue.auto_delete and queue.open and not queue.dispatcher.consumers and queue.name in self.node.queues:
            self.node.delete_queue(queue.name)
