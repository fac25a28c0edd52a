"""The subscriptions of one connection: SUBSCRIBE, UNSUBSCRIBE, and the private ones that replies come by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote as percent_encode

from segue.broker.errors import LimitReachedError, NotFoundError
from segue.broker.queue import Queue
from segue.broker.selector import Selector
from segue.protocols.stomp.browse import browse
from segue.protocols.stomp.destination import (
    Destination,
    DestinationKind,
    Dialect,
    Use,
    parse_destination,
    virtual_topic,
)
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, not_supported, quote
from segue.protocols.stomp.frames import Frame, Version
from segue.protocols.stomp.headers import (
    AckMode,
    AckOptions,
    DurableName,
    SubscribeOptions,
    name_durable_subscription,
    read_subscribe,
    read_unsubscribe,
    required,
)
from segue.protocols.stomp.subscription import StompSubscription
from segue.protocols.stomp.targets import Targets

if TYPE_CHECKING:
    from segue.broker.session import Session, Subscription
    from segue.protocols.stomp.session import StompSession

__all__ = ["Subscribing"]


class Subscribing:
    """See the module.

    Attributes:
        client_id: as CONNECT gave it.
    """

    __slots__ = ("_by_id", "_dialect", "_node", "_stomp", "_targets", "client_id")

    def __init__(self, stomp: StompSession, targets: Targets) -> None:
        self._stomp = stomp
        self._node = stomp.node
        self._dialect = stomp.frontend.dialect
        self._targets = targets
        self._by_id: dict[str, StompSubscription] = {}
        self.client_id: str | None = None

    @property
    def _session(self) -> Session:
        session = self._stomp.session
        assert session is not None
        return session

    def subscribe(self, frame: Frame) -> None:
        """SUBSCRIBE.

        Raises:
            StompProtocolError, BrokerError: it can't be done.
            PendingError: nothing has happened; the same call is to be made again.
        """
        stomp = self._stomp
        limits = self._node.settings.limits
        maximum = limits.subscriptions_per_connection_max
        if len(self._by_id) >= maximum:  # browsers count, of which the node's session knows nothing
            raise LimitReachedError(f"limits.subscriptions_per_connection_max ({maximum}) is reached")
        text = required(frame.headers, "destination", "SUBSCRIBE")
        options = read_subscribe(
            frame.headers,
            stomp.version,
            dialect=self._dialect,
            prefetch_default=limits.prefetch_default,
            prefetch_max=limits.prefetch_max,
        )
        destination = parse_destination(text, Use.SUBSCRIBE, routing_type=options.routing_type, dialect=self._dialect)
        key = options.id if options.id is not None else text
        if key in self._by_id:
            problem = f"A subscription identified by '{quote(key)}' already exists."
            raise StompProtocolError(ErrorCode.DUPLICATE_SUBSCRIPTION, problem)
        if destination.kind is DestinationKind.TOPIC:
            self._subscribe_topic(options, destination, text, key)
        else:
            self._subscribe_queue(options, destination, text, key)

    def _subscribe_queue(self, options: SubscribeOptions, destination: Destination, text: str, key: str) -> None:
        if options.no_local:
            raise not_supported("'no-local' on a queue")
        selector = self._selector(options)
        queue = self._queue_to_read(options, destination, text)
        if options.browser:
            self._session.check_owner(queue)
            sink = self._make_sink(options.id, text, options.ack)
            sink.browses = True
            self._keep(key, sink, queue.log.id)
            self._stomp.connection.start(partial(browse, self._stomp, queue, sink, selector))
            return

        self._add(key, options.id, text, options.ack, partial(self._consume, queue, options))
        if (topic := virtual_topic(queue.name, self._dialect)) is not None:
            self._node.bind(queue, topic)

    def _consume(self, queue: Queue, options: SubscribeOptions, sink: StompSubscription) -> Subscription:
        return self._session.subscribe_queue(
            queue,
            sink,
            prefetch=options.prefetch,
            settles=sink.settles,
            exclusive=bool(options.queue.exclusive),
            window_bytes=options.window_bytes or 0,
            selector=self._selector(options),
            rank=options.rank,
            alone=options.alone,
        )

    def _queue_to_read(self, options: SubscribeOptions, destination: Destination, text: str) -> Queue:
        if destination.kind is DestinationKind.QUEUE:
            return self._targets.declare(destination.name, options.queue)
        if destination.kind is DestinationKind.REPLY_QUEUE:
            raise NotFoundError(f"'{quote(text)}': a reply queue belongs to its own connection")
        target = self._targets.find(destination, text)
        assert isinstance(target, Queue)
        return target

    def _subscribe_topic(self, options: SubscribeOptions, destination: Destination, text: str, key: str) -> None:
        if options.browser:
            raise not_supported("'browser' on a topic")
        pattern = destination.name
        durable = name_durable_subscription(options, pattern, self.client_id)
        window = options.window_bytes or 0
        if options.no_local and (durable is not None or options.queue_name is not None):
            raise not_supported("'no-local' on a durable subscription, or on one with a queue of its own name")
        selector = self._selector(options)
        if options.queue_name is not None:
            self._subscribe_bound(options, pattern, text, key, lasting=durable is not None)
            return
        if durable is None:

            def begin(sink: StompSubscription) -> Subscription:
                return self._session.subscribe_topic(
                    pattern,
                    sink,
                    prefetch=options.prefetch,
                    settles=sink.settles,
                    no_local=options.no_local,
                    window_bytes=window,
                    selector=selector,
                )

            self._add(key, options.id, text, options.ack, begin)
            return
        name = _durable_key(durable)

        def begin_durable(sink: StompSubscription) -> Subscription:
            return self._session.subscribe_durable(
                name,
                pattern,
                sink,
                prefetch=options.prefetch,
                settles=sink.settles,
                window_bytes=window,
                shared=durable.client_id is None,
                selector=selector,
            )

        self._add(key, options.id, text, options.ack, begin_durable)

    def _subscribe_bound(self, options: SubscribeOptions, pattern: str, text: str, key: str, *, lasting: bool) -> None:
        """RabbitMQ's `x-queue-name`: a queue of that name that messages to the topic go to; consumers may share it.

        Unless the client says otherwise, one that is not `lasting` goes with its last consumer, or with the broker's
        process: with nobody left to read it, it would gather what is published for ever.
        """
        asked = options.queue
        auto_delete = not lasting if asked.auto_delete is None else asked.auto_delete
        flags = replace(asked, durable=lasting or bool(asked.durable), auto_delete=auto_delete)
        queue = self._targets.declare(options.queue_name or "", flags)

        def begin(sink: StompSubscription) -> Subscription:
            of_node = self._consume(queue, options, sink)
            self._node.bind(queue, pattern)  # after that: it may be somebody else's queue
            return of_node

        self._add(key, options.id, text, options.ack, begin)
        self._by_id[key].bound_queue = queue.name

    def _selector(self, options: SubscribeOptions) -> Selector | None:
        return self._node.selectors.compile(options.selector) if options.selector else None

    def _add(
        self,
        key: str,
        sub_id: str | None,
        text: str,
        mode: AckMode,
        begin: Callable[[StompSubscription], Subscription],
    ) -> None:
        """Keep a subscription that `begin` starts."""
        sink = self._make_sink(sub_id, text, mode)
        of_node = sink.of_node = begin(sink)
        self._keep(key, sink, of_node.consumer.dispatcher.cursor.log.id)

    def _make_sink(self, sub_id: str | None, text: str, mode: AckMode) -> StompSubscription:
        number = self._stomp.frontend.number_subscription()
        return StompSubscription(self._stomp, number, sub_id, text, mode)

    def _keep(self, key: str, sink: StompSubscription, log_id: int) -> None:
        sink.number_messages(log_id)
        self._by_id[key] = sink
        self._stomp.subscriptions[sink.number] = sink

    def unsubscribe(self, frame: Frame) -> None:
        """UNSUBSCRIBE; raises as `subscribe`."""
        options = read_unsubscribe(frame.headers, self._stomp.version)
        key = options.id if options.id is not None else self._key_of(options.destination)
        sink = self._by_id.pop(key, None) if key is not None else None
        if sink is None and options.durable_name is None and not options.durable:
            problem = f"There is no subscription '{quote(options.id or options.destination or '')}'"
            raise StompProtocolError(ErrorCode.UNKNOWN_SUBSCRIPTION, problem)
        if sink is not None:
            self._end(sink)
        if sink is not None and sink.bound_queue and options.durable:
            if sink.bound_queue in self._node.queues:  # it may have gone with its last consumer, just now
                self._node.delete_queue(sink.bound_queue)
        elif options.durable_name is not None:
            self._session.delete_durable(_durable_key(DurableName(self.client_id or "", None, options.durable_name)))
        elif options.durable:
            text = options.destination or (sink.destination if sink is not None else None)
            if text is None or options.id is None:
                raise StompProtocolError(
                    ErrorCode.MISSING_HEADER, 'A durable UNSUBSCRIBE must include "id" and "destination"'
                )
            pattern = parse_destination(text, Use.SUBSCRIBE, dialect=self._dialect).name
            self._session.delete_durable(_durable_key(DurableName(None, pattern, options.id)))

    def _key_of(self, destination: str | None) -> str | None:
        """What the first subscription to a destination is known by; clients of 1.0 may name one so, whatever its id."""
        if self._stomp.version is not Version.V1_0:
            return None
        return next((key for key, sink in self._by_id.items() if sink.destination == destination), None)

    def _end(self, sink: StompSubscription) -> None:
        del self._stomp.subscriptions[sink.number]
        of_node, sink.of_node = sink.of_node, None
        if of_node is not None:
            self._session.unsubscribe(of_node)

    def cancelled(self, sink: StompSubscription, reason: str) -> None:
        """The queue of a subscription is gone: RabbitMQ's answer is an ERROR, and so is ours."""
        sink.of_node = None
        problem = f"Subscription '{quote(sink.id or sink.destination)}' was cancelled by the broker: {reason}"
        self._stomp.fail(StompProtocolError(ErrorCode.NOT_FOUND, problem, message="Server cancelled subscription"))

    def reply_queue(self, reply_to: str) -> str:
        """RabbitMQ's way: a private queue, a subscription to it that nobody has to make, and a name for others."""
        name = parse_destination(reply_to, Use.SUBSCRIBE, dialect=self._dialect).name
        queue = self._session.temporary_queue(name)
        if not queue.dispatcher.consumers and reply_to not in self._by_id:
            self._add(
                reply_to,
                reply_to,
                reply_to,
                AckMode.AUTO,
                lambda sink: self._session.subscribe_queue(queue, sink, prefetch=1, settles=False),
            )
        # As its receiver has to write it: RabbitMQ's clients write what is special in a name as %XX.
        written = percent_encode(queue.name, safe="") if self._dialect is Dialect.RABBITMQ else queue.name
        return f"/reply-queue/{written}"

    def candidates(self, options: AckOptions) -> list[StompSubscription]:
        """Whose message an acknowledgement without an ack id may mean, the likelier first."""
        if options.subscription is None:
            # Those for which an acknowledgement means something first: the others would take any of their queue.
            return sorted(self._stomp.subscriptions.values(), key=lambda sink: not sink.settles)
        sink = self._by_id.get(options.subscription)
        return [] if sink is None else [sink]


def _durable_key(durable: DurableName) -> str:
    """One text for the parts of a durable subscription's name: no two names have the same."""
    if durable.client_id is not None:
        return f"{percent_encode(durable.client_id, safe='.')}:{durable.name}"
    return f"{percent_encode(durable.topic or '', safe='.*#')}/{durable.name}"
