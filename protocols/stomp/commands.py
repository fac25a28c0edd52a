"""What STOMP frames other than plain SEND and ACK do: login, subscriptions, transactions, rarer acknowledgements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote as percent_encode

import trio

from segue.broker.composite import Composite, Part
from segue.broker.errors import (
    BrokerError,
    InUseError,
    LimitReachedError,
    NotFoundError,
    NotHeldError,
    ShuttingDownError,
)
from segue.broker.queue import Queue
from segue.broker.queue_options import DROP_OLDEST, REFUSE, QueueOptions
from segue.broker.selector import Selector, SelectorError, compile_selector
from segue.broker.topic import Topic
from segue.broker.users import AuthenticationFailed, User
from segue.protocols.stomp.browse import browse
from segue.protocols.stomp.destination import (
    Destination,
    DestinationKind,
    Dialect,
    Use,
    parse_destination,
    split_list,
    virtual_topic,
)
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.frames import Frame, SendHead, Version, connected, replace_header
from segue.protocols.stomp.headers import (
    AckMode,
    AckOptions,
    ConnectOptions,
    DurableName,
    QueueFlags,
    SendOptions,
    SubscribeOptions,
    name_durable_subscription,
    read_ack,
    read_connect,
    read_send,
    read_subscribe,
    read_unsubscribe,
    required,
)
from segue.protocols.stomp.heart_beat import negotiate_heart_beat
from segue.protocols.stomp.route import Route
from segue.protocols.stomp.state import Action, Signal
from segue.protocols.stomp.subscription import StompSubscription, read_delivery

if TYPE_CHECKING:
    from segue.broker.session import Session, Subscription
    from segue.broker.transaction import Transaction
    from segue.protocols.stomp.session import StompSession

__all__ = ["Commands", "as_protocol_error"]

_CODES: Final[dict[type[BrokerError], ErrorCode]] = {
    NotFoundError: ErrorCode.NOT_FOUND,
    InUseError: ErrorCode.PRECONDITION_FAILED,
    LimitReachedError: ErrorCode.LIMIT_REACHED,
    SelectorError: ErrorCode.INVALID_HEADER,
    NotHeldError: ErrorCode.UNKNOWN_ACK,
    ShuttingDownError: ErrorCode.SHUTTING_DOWN,
}
_DUPLICATE: Final = b"\nduplicate:true"


def as_protocol_error(failure: BrokerError) -> StompProtocolError:
    """Say in STOMP what the node refused."""
    return StompProtocolError(_CODES.get(type(failure), ErrorCode.PRECONDITION_FAILED), str(failure))


class Commands:
    """The commands of one connection."""

    def __init__(self, stomp: StompSession) -> None:
        self._stomp = stomp
        self._node = stomp.node
        self._dialect = stomp.frontend.dialect
        self._client_id: str | None = None
        self._by_id: dict[str, StompSubscription] = {}

    def carry_out(self, action: Action, frame: Frame, receipts: list[bytes]) -> bytes | None:
        """Do what a frame asks; returns the receipt that is due for it now, if any.

        Raises:
            StompProtocolError, BrokerError: it can't be done.
        """
        if action in (Action.ACKNOWLEDGE, Action.RETURN):
            return self._acknowledge(frame, returning=action is Action.RETURN)
        if action is Action.COMMIT:
            receipts += self._session.commit(self._transaction_name(frame)).receipts
        else:
            _ACTIONS[action](self, frame)
        return frame.receipt

    def commit_publishes(self, frame: Frame) -> bool:
        """True when a COMMIT would add messages, and not only settle some."""
        name = frame.headers.get("transaction", "")
        return self._session.has_transaction(name) and self._session.transaction(name).publishes

    @property
    def _session(self) -> Session:
        session = self._stomp.session
        assert session is not None
        return session

    # -- login

    def _log_in(self, frame: Frame) -> None:
        options = read_connect(frame.headers)
        if options.host is not None and options.host.startswith("/") and options.host != "/":
            raise StompProtocolError(ErrorCode.BAD_CONNECT, f"Virtual host '{quote(options.host)}' access denied")
        stomp = self._stomp
        stomp.version = options.version
        login, passcode = options.login or "", options.passcode or ""
        user = stomp.frontend.users.recall(login, passcode, peer_is_loopback=stomp.connection.peer_is_loopback)
        if user is None:
            stomp.login = partial(self._authenticate, options, login, passcode)
        else:
            self._accept(options, user.name)

    async def _authenticate(self, options: ConnectOptions, login: str, passcode: str) -> None:
        stomp = self._stomp
        users, is_loopback = stomp.frontend.users, stomp.connection.peer_is_loopback

        def check() -> User | None:
            try:
                return users.authenticate(login, passcode, peer_is_loopback=is_loopback)
            except AuthenticationFailed:
                return None  # an error that is raised again in the task refers to itself by its traceback

        user = await trio.to_thread.run_sync(check, limiter=stomp.frontend.login_limiter)
        if user is None:
            stomp.fail(StompProtocolError(ErrorCode.BAD_CONNECT, f"Access refused for user '{quote(login)}'"))
            return
        try:
            self._accept(options, user.name)
        except BrokerError as failure:
            stomp.fail(as_protocol_error(failure))

    def _accept(self, options: ConnectOptions, user: str) -> None:
        stomp = self._stomp
        if stomp.finished:
            return
        session = self._node.open_session(user, stomp.connection.peer, "stomp", stomp.connection)
        session.client_id = options.client_id or ""
        self._client_id = options.client_id
        stomp.session, stomp.session_id = session, session.id
        stomp.state.signal(Signal.ACCEPTED)
        stomp.frontend.logged_in(stomp)
        minimum, maximum = stomp.frontend.heart_beat_bounds
        # STOMP 1.0 has no heart-beats; clients that speak all versions send the header before they know.
        offered = (0, 0) if options.version is Version.V1_0 else options.heart_beat
        stomp.beat = negotiate_heart_beat(offered, minimum, maximum)
        stomp.put(
            connected(
                options.version,
                session=f"{session.id}",
                server=stomp.frontend.server_name,
                heart_beat=(minimum, minimum) if offered != (0, 0) else (0, 0),
                response_id=options.request_id,
            )
        )
        stomp.deadline_changed()
        stomp.resume_input()

    # -- publishing

    def find_route(self, head: SendHead) -> Route:
        """Where messages with this head go.

        Raises:
            StompProtocolError, BrokerError: nowhere.
        """
        options = read_send(head.headers, self._dialect)
        parts = [self._part(text, options) for text in split_list(head.destination, self._dialect)]
        target: Queue | Topic | Composite
        target, publish = parts[0]
        if len(parts) > 1:
            if options.deduplication_id is not None:
                raise _not_supported("a deduplication id for several destinations")
            target = Composite(self._node, head.destination, parts)
            publish = target.publish
        block = head.block
        if options.reply_to is not None and options.reply_to.startswith("/temp-queue/"):
            block = replace_header(block, "reply-to", self._reply_queue(options.reply_to))
        if options.expires_ms or options.lives_ms is not None:
            target.note_expiring()
        route = Route(
            target,
            publish,
            block,
            persistent=options.persistent,
            expires_ms=options.expires_ms,
            lives_ms=options.lives_ms,
        )
        route.deduplication_id = options.deduplication_id
        route.special = head.transaction is not None or (
            options.deduplication_id is not None and isinstance(target, Queue)
        )
        return route

    def _part(self, text: str, options: SendOptions) -> Part:
        """One destination of a SEND: the queue or topic, and how to publish there."""
        destination = parse_destination(text, Use.SEND, routing_type=options.routing_type, dialect=self._dialect)
        if destination.kind is DestinationKind.QUEUE:
            self._declare(destination.name, options.queue)
        target = self._target(destination, text)
        if isinstance(target, Topic):
            return target, partial(self._publish_to_topic, target)
        return target, target.append if type(target) is Queue and not target.refuses else target.publish

    def send_specially(self, route: Route, head: SendHead, record: bytes, receipt: bytes | None) -> bytes | None:
        """A message in a transaction, or with a deduplication id. Returns the receipt that is due now."""
        publish = route.publish
        if route.deduplication_id is not None and isinstance(route.target, Queue):
            publish = partial(route.target.publish_once, route.deduplication_id)
        if head.transaction is None:
            if publish(record) is False and receipt is not None:
                return receipt + _DUPLICATE
            return receipt
        transaction = self._transaction(head.transaction)
        transaction.send(route.target, publish, record)
        if receipt is not None:
            transaction.receipts.append(receipt)
        return None

    def _publish_to_topic(self, topic: Topic, record: bytes) -> None:
        topic.publish_from(record, self._stomp.session_id)

    def _target(self, destination: Destination, text: str) -> Queue | Topic:
        kind, name = destination.kind, destination.name
        if kind is DestinationKind.QUEUE:
            return self._node.queue(name)
        if kind is DestinationKind.TOPIC:
            return self._node.topic(name)
        if kind is DestinationKind.EXISTING_QUEUE:
            return self._node.existing_queue(name)
        if kind is DestinationKind.TEMP_QUEUE:
            return self._session.temporary_queue(name)
        if kind is DestinationKind.REPLY_QUEUE and (queue := self._node.temporary.get(name)) is not None:
            return queue
        raise NotFoundError(f"'{quote(text)}': there is no such {kind.value}")

    def _reply_queue(self, reply_to: str) -> str:
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

    # -- subscriptions

    def _subscribe(self, frame: Frame) -> None:
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
            raise _not_supported("'no-local' on a queue")
        selector = _selector(options)
        if selector is not None and not options.browser:
            raise _not_supported("'selector' on a queue, but for a browser,")
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
        )

    def _queue_to_read(self, options: SubscribeOptions, destination: Destination, text: str) -> Queue:
        if destination.kind is DestinationKind.QUEUE:
            return self._declare(destination.name, options.queue)
        if destination.kind is DestinationKind.REPLY_QUEUE:
            raise NotFoundError(f"'{quote(text)}': a reply queue belongs to its own connection")
        target = self._target(destination, text)
        assert isinstance(target, Queue)
        return target

    def _declare(self, name: str, flags: QueueFlags) -> Queue:
        auto_delete = bool(flags.auto_delete)
        options = QueueOptions(
            dead_letter=flags.dead_letter or "",
            delivery_limit=flags.delivery_limit or 0,
            message_ttl_ms=flags.message_ttl_ms,
            messages_max=flags.messages_max,
            overflow=None if flags.refuses is None else REFUSE if flags.refuses else DROP_OLDEST,
        )
        if flags.exclusive:
            return self._session.exclusive_queue(name, auto_delete=auto_delete, options=options)
        return self._node.declare_queue(
            name, auto_delete=auto_delete, durable=flags.durable is not False, options=options
        )

    def _subscribe_topic(self, options: SubscribeOptions, destination: Destination, text: str, key: str) -> None:
        if options.browser:
            raise _not_supported("'browser' on a topic")
        pattern = destination.name
        durable = name_durable_subscription(options, pattern, self._client_id)
        window = options.window_bytes or 0
        if options.no_local and (durable is not None or options.queue_name is not None):
            raise _not_supported("'no-local' on a durable subscription, or on one with a queue of its own name")
        selector = _selector(options)
        if options.queue_name is not None and selector is not None:
            raise _not_supported("'selector' on a subscription with a queue of its own name")
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
        queue = self._declare(options.queue_name or "", flags)

        def begin(sink: StompSubscription) -> Subscription:
            of_node = self._consume(queue, options, sink)
            self._node.bind(queue, pattern)  # after that: it may be somebody else's queue
            return of_node

        self._add(key, options.id, text, options.ack, begin)
        self._by_id[key].bound_queue = queue.name

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

    def _unsubscribe(self, frame: Frame) -> None:
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
            self._session.delete_durable(_durable_key(DurableName(self._client_id or "", None, options.durable_name)))
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

    # -- acknowledgements

    def _acknowledge(self, frame: Frame, *, returning: bool) -> bytes | None:
        options = read_ack(frame.headers, self._stomp.version, frame.command)
        transaction = None if options.transaction is None else self._transaction(options.transaction)
        sink, seq, delivery = self._find_message(options)
        of_node = sink.of_node
        if of_node is None or not sink.settles:
            return frame.receipt  # harmless: nothing waits for it
        consumer = of_node.consumer
        seqs = consumer.up_to(seq, delivery) if sink.mode is AckMode.CLIENT else consumer.just(seq, delivery)
        if transaction is not None:
            if returning:
                (transaction.reject if options.requeue else transaction.refuse)(consumer, seqs)
            else:
                transaction.acknowledge(consumer, seqs)
            if frame.receipt is not None:
                transaction.receipts.append(frame.receipt)
            return None
        if returning:
            (self._session.give_back if options.requeue else self._session.refuse)(consumer, seqs)
        else:
            consumer.acknowledge_all(seqs)
            consumer.settle()
        return frame.receipt

    def _find_message(self, options: AckOptions) -> tuple[StompSubscription, int, int]:
        """The subscription, the sequence number and which delivery of it; 0 where the client can't say."""
        if options.ack_id is not None:
            number, _, rest = options.ack_id.partition("-")
            sink = self._stomp.subscriptions.get(number.encode())
            if sink is not None:
                return (sink, 0, 0) if sink.browses else (sink, *read_delivery(rest.encode()))
        elif options.message_id is not None:
            for sink in self._candidates(options):
                if sink.holds(options.message_id):
                    return sink, int(options.message_id.rpartition("-")[2]) if sink.settles else 0, 0
        what = options.ack_id if options.ack_id is not None else options.message_id
        raise StompProtocolError(ErrorCode.UNKNOWN_ACK, f"Message '{quote(what or '')}' is not out on this connection")

    def _candidates(self, options: AckOptions) -> list[StompSubscription]:
        if options.subscription is None:
            # Those for which an acknowledgement means something first: the others would take any of their queue.
            return sorted(self._stomp.subscriptions.values(), key=lambda sink: not sink.settles)
        sink = self._by_id.get(options.subscription)
        return [] if sink is None else [sink]

    # -- transactions

    def _begin(self, frame: Frame) -> None:
        name = self._transaction_name(frame)
        if self._session.has_transaction(name):
            raise StompProtocolError(ErrorCode.DUPLICATE_TRANSACTION, f"Transaction '{quote(name)}' is open already")
        self._session.begin(name)

    def _abort(self, frame: Frame) -> None:
        self._session.abort(self._transaction_name(frame))

    def _transaction_name(self, frame: Frame) -> str:
        name = required(frame.headers, "transaction", frame.command)
        if frame.command != "BEGIN":
            self._transaction(name)
        return name

    def _transaction(self, name: str) -> Transaction:
        if not self._session.has_transaction(name):
            raise StompProtocolError(ErrorCode.UNKNOWN_TRANSACTION, f"No transaction '{quote(name)}' is open")
        return self._session.transaction(name)

    # -- the end

    def _say_goodbye(self, frame: Frame) -> None:
        self._stomp.connection.reason = "disconnected"
        self._stomp.finish()

    def _ignore(self, frame: Frame) -> None:
        """Nothing that comes behind the last word is acted on."""


# Not bound methods in each connection's own table: those refer back to it, so that only the garbage collector, which
# comes by seldom, would free a connection that is gone; and they are a KiB for each that is idle.
_ACTIONS: Final[dict[Action, Callable[[Commands, Frame], None]]] = {
    Action.LOG_IN: Commands._log_in,
    Action.SUBSCRIBE: Commands._subscribe,
    Action.UNSUBSCRIBE: Commands._unsubscribe,
    Action.BEGIN: Commands._begin,
    Action.ABORT: Commands._abort,
    Action.SAY_GOODBYE: Commands._say_goodbye,
    Action.IGNORE: Commands._ignore,
}


def _selector(options: SubscribeOptions) -> Selector | None:
    return compile_selector(options.selector) if options.selector else None


def _not_supported(what: str) -> StompProtocolError:
    return StompProtocolError(ErrorCode.NOT_SUPPORTED, f"Segue does not have {what}")


def _durable_key(durable: DurableName) -> str:
    """One text for the parts of a durable subscription's name: no two names have the same."""
    if durable.client_id is not None:
        return f"{percent_encode(durable.client_id, safe='.')}:{durable.name}"
    return f"{percent_encode(durable.topic or '', safe='.*#')}/{durable.name}"
