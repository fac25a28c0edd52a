"""What SEND does beyond the plain case: finding the way of a head, transactions, deduplication, replies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from segue.broker.composite import Composite, Part
from segue.broker.deduplication import Acceptance, Identity, OnceSend
from segue.broker.errors import BrokerError
from segue.broker.queue import Queue
from segue.broker.retained.retaining_topic import RetainingTopic
from segue.broker.schedule.delayed import Delayed
from segue.broker.topic import Topic
from segue.protocols.stomp.destination import DestinationKind, Use, parse_destination, split_list
from segue.protocols.stomp.errors import not_supported
from segue.protocols.stomp.events import SendEvent
from segue.protocols.stomp.failures import as_protocol_error
from segue.protocols.stomp.frames import SendHead, leave_out, receipt_frames, replace_header
from segue.protocols.stomp.headers import SendOptions, read_send
from segue.protocols.stomp.identity import answer, answers_to_new, identity_of
from segue.protocols.stomp.route import Route
from segue.protocols.stomp.schedule_headers import SCHEDULE_HEADERS
from segue.protocols.stomp.scheduler_management import MANAGEMENT_DESTINATIONS, SchedulerManagement, read_order
from segue.protocols.stomp.scheduling import delayed_target
from segue.protocols.stomp.subscribing import Subscribing
from segue.protocols.stomp.subscription import message_prefix
from segue.protocols.stomp.targets import Targets
from segue.protocols.stomp.transactions import open_transaction
from segue.protocols.stomp.varying_head import SharedHead, VaryingHead

if TYPE_CHECKING:
    from segue.broker.session import Session
    from segue.broker.transaction import Transaction
    from segue.protocols.stomp.session import StompSession

__all__ = ["Publishing"]


class Publishing:
    """The SENDs of one connection."""

    __slots__ = ("_dialect", "_node", "_stomp", "_subscribing", "_targets")

    def __init__(self, stomp: StompSession, targets: Targets, subscribing: Subscribing) -> None:
        self._stomp = stomp
        self._node = stomp.node
        self._dialect = stomp.frontend.dialect
        self._targets = targets
        self._subscribing = subscribing

    @property
    def _session(self) -> Session:
        session = self._stomp.session
        assert session is not None
        return session

    def find_route(self, head: SendHead) -> Route:
        """Where messages with this head go.

        Raises:
            StompProtocolError, BrokerError: nowhere.
        """
        options = read_send(head.headers, self._dialect)
        if head.destination in MANAGEMENT_DESTINATIONS:
            return self._management_route(head, options)
        parts = [self._part(text, options) for text in split_list(head.destination, self._dialect)]
        target: Queue | Topic | Composite | Delayed
        target, publish = parts[0]
        if options.schedule is not None and options.retain:
            raise not_supported("a retained message for later")
        if options.schedule is not None:
            target = delayed_target(self._node, head.destination, parts, options)
            publish = target.publish
        elif len(parts) > 1:
            target = Composite(self._node, head.destination, parts, options.priority)
            publish = target.publish
        block = head.block if options.schedule is None else leave_out(head.block, SCHEDULE_HEADERS)
        if options.reply_to is not None and options.reply_to.startswith("/temp-queue/"):
            block = replace_header(block, "reply-to", self._subscribing.reply_queue(options.reply_to))
        if options.expires_ms or options.lives_ms is not None:
            target.note_expiring()
        if options.grouped:
            target.note_grouped()
        route = Route(
            target,
            publish,
            block,
            persistent=options.persistent,
            expires_ms=self._expires_ms(target, options.expires_ms),
            lives_ms=options.lives_ms,
        )
        self._identify(route, options)
        special = head.transaction is not None or isinstance(target, RetainingTopic | Delayed)
        varies = isinstance(head, SharedHead)
        route.special = special or varies or route.identity is not None
        route.varies = varies and not special and route.identity is None
        route.in_runs = varies and not special and type(route.once) is Queue and not route.once.refuses
        if isinstance(target, Delayed):
            route.visible_ms = target.due_ms
            route.later = target if head.transaction is None and route.identity is None else None
        return route

    def _expires_ms(self, target: object, wall_ms: int) -> int:
        """The end of a message that says one, by the clock of the other times in its record; 0 for never."""
        if not wall_ms or (isinstance(target, Delayed) and target.by_wall_clock):
            return wall_ms
        return self._node.clock.of_wall(wall_ms)

    def _management_route(self, head: SendHead, options: SendOptions) -> Route:
        if head.transaction is not None:
            raise not_supported("orders to the scheduler in a transaction")
        order, reply = read_order(head.headers), None
        if order.action == "BROWSE" and (to := options.reply_to) is not None:
            to = self._subscribing.reply_queue(to) if to.startswith("/temp-queue/") else to
            _, reply = self._part(to, SendOptions())
        target = SchedulerManagement(self._node, order, reply)
        route = Route(target, target.publish, head.block)
        route.special = True
        return route

    async def _manage(self, target: SchedulerManagement, receipt: bytes | None) -> None:
        """Its receipt may come behind those of later frames: others need not wait for a walk over what is scheduled."""
        try:
            await target.carry_out()
        except BrokerError as failure:
            self._stomp.fail(as_protocol_error(failure))
        else:
            if receipt is not None and not self._stomp.finished:
                self._stomp.put(receipt_frames([receipt]))
        self._node.end_step()

    def _identify(self, route: Route, options: SendOptions) -> None:
        """Topics keep nothing, and so know no repeats."""
        target = route.target
        queue: object = target.queue if isinstance(target, Delayed) else target
        if isinstance(target, Composite) and target.queues:
            queue = target.queues[0]
        if isinstance(queue, Queue) and isinstance(target, Queue | Composite | Delayed):
            route.identity, route.once = identity_of(options), target
            route.message_prefix = message_prefix(queue.log.id, self._stomp.frontend.epoch)

    def _part(self, text: str, options: SendOptions) -> Part:
        """One destination of a SEND: the queue or topic, and how to publish there."""
        destination = parse_destination(text, Use.SEND, routing_type=options.routing_type, dialect=self._dialect)
        if destination.kind is DestinationKind.QUEUE:
            self._targets.declare(destination.name, options.queue)
        target = self._targets.find(destination, text)
        if options.retain:
            if not isinstance(target, Topic):
                raise not_supported("'retain' on a queue")
            target = RetainingTopic(self._node, target.name)
        if isinstance(target, Topic):
            return target, partial(self._publish_to_topic, target)
        if type(target) is Queue and not target.refuses:
            return target, target.append_of(options.priority)
        return target, target.publish

    def send_specially(
        self, route: Route, head: SendHead | VaryingHead, body: bytes, receipt: bytes | None
    ) -> bytes | None:
        """A message in a transaction, retained, for later, or maybe a repeat. Returns the receipt that is due now.

        Raises:
            RecallPendingError: nothing has happened; the same call is to be made again.
        """
        identity = route.identity
        if isinstance(route.target, SchedulerManagement):
            self._stomp.connection.start(partial(self._manage, route.target, receipt))
            return None
        if isinstance(head, VaryingHead):
            record = route.varying_record(head, body)
            identity = None if identity is None else identity.another(head.values[head.shared.identity_at])
        else:
            record = route.record(body)
        if (slot := route.slot) is not None:
            seq = slot.accept(record)
            return None if receipt is None else b"%b\nschedule-id:%b%d" % (receipt, slot.names, seq)
        if head.transaction is not None:
            transaction = open_transaction(self._session, head.transaction)
            self._send_in(transaction, route, identity, record, receipt)
            return None
        if identity is not None and route.once is not None:
            acceptance = route.once.publish_once(identity, record)
            return None if receipt is None else answer(receipt, route.message_prefix, acceptance)
        if isinstance(route.target, RetainingTopic):
            route.target.check_room(1, len(record))
        route.publish(record)
        return receipt

    def send_run(self, route: Route, run: Sequence[SendEvent]) -> list[bytes] | None:
        """Messages with an identity that came one behind the other, if none is a repeat.

        Returns:
            The receipts that are due now; None when one may be a repeat, and nothing has happened.

        Raises:
            LimitReachedError, RecallPendingError: nothing has happened.
        """
        identity, queue = route.identity, route.once
        assert identity is not None
        assert isinstance(queue, Queue)
        records: list[bytes] = []
        values: list[bytes] = []
        for _, head, _, body in run:
            assert isinstance(head, VaryingHead)
            records.append(route.varying_record(head, body))
            values.append(head.values[head.shared.identity_at])
        seqs = queue.publish_new(identity, values, records)
        if seqs is None:
            return None
        receipts = [receipt for _, _, receipt, _ in run]
        return answers_to_new(receipts, route.message_prefix, seqs, values if identity.is_numbered else None)

    def _send_in(
        self, transaction: Transaction, route: Route, identity: Identity | None, record: bytes, receipt: bytes | None
    ) -> None:
        """Its receipt comes with that of the COMMIT, and by then it is known what to say in it."""
        publish, receipts = route.publish, transaction.receipts
        place = len(receipts)

        def tell(acceptance: Acceptance) -> None:
            if receipt is not None:
                receipts[place] = answer(receipt, route.message_prefix, acceptance)

        if identity is not None and route.once is not None:
            publish = OnceSend(route.once, identity, tell)
        transaction.send(route.target, publish, record)
        if receipt is not None:
            receipts.append(receipt)

    def _publish_to_topic(self, topic: Topic, record: bytes) -> None:
        topic.publish_from(record, self._stomp.session_id)
