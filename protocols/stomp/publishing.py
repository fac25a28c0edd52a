"""What SEND does beyond the plain case: finding the way of a head, transactions, deduplication, replies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from segue.broker.composite import Composite, Part
from segue.broker.queue import Queue
from segue.broker.schedule.delayed import Delayed
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.broker.topic import Topic
from segue.protocols.stomp.destination import DestinationKind, Use, parse_destination, split_list
from segue.protocols.stomp.errors import not_supported
from segue.protocols.stomp.frames import SendHead, leave_out, replace_header
from segue.protocols.stomp.headers import SendOptions, read_send
from segue.protocols.stomp.route import Route
from segue.protocols.stomp.schedule_headers import SCHEDULE_HEADERS
from segue.protocols.stomp.scheduling import delayed_target
from segue.protocols.stomp.subscribing import Subscribing
from segue.protocols.stomp.targets import Targets
from segue.protocols.stomp.transactions import open_transaction

if TYPE_CHECKING:
    from segue.broker.session import Session
    from segue.protocols.stomp.session import StompSession

__all__ = ["Publishing"]

_DUPLICATE: Final = b"\nduplicate:true"


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
        parts = [self._part(text, options) for text in split_list(head.destination, self._dialect)]
        target: Queue | Topic | Composite | Delayed
        target, publish = parts[0]
        if options.schedule is not None:
            target = delayed_target(self._node, head.destination, parts, options)
            publish = target.publish
        elif len(parts) > 1:
            if options.deduplication_id is not None:
                raise not_supported("a deduplication id for several destinations")
            target = Composite(self._node, head.destination, parts, options.priority)
            publish = target.publish
        block = head.block if options.schedule is None else leave_out(head.block, SCHEDULE_HEADERS)
        if options.reply_to is not None and options.reply_to.startswith("/temp-queue/"):
            block = replace_header(block, "reply-to", self._subscribing.reply_queue(options.reply_to))
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
        if isinstance(target, Delayed):
            route.visible_ms, route.special = target.due_ms, True
        return route

    def _part(self, text: str, options: SendOptions) -> Part:
        """One destination of a SEND: the queue or topic, and how to publish there."""
        destination = parse_destination(text, Use.SEND, routing_type=options.routing_type, dialect=self._dialect)
        if destination.kind is DestinationKind.QUEUE:
            self._targets.declare(destination.name, options.queue)
        target = self._targets.find(destination, text)
        if isinstance(target, Topic):
            return target, partial(self._publish_to_topic, target)
        if type(target) is Queue and not target.refuses:
            return target, target.append_of(options.priority)
        return target, target.publish

    def send_specially(self, route: Route, head: SendHead, record: bytes, receipt: bytes | None) -> bytes | None:
        """A message in a transaction, with a deduplication id, or for later. Returns the receipt that is due now."""
        publish = route.publish
        if route.deduplication_id is not None and isinstance(route.target, Queue):
            publish = partial(route.target.publish_once, route.deduplication_id)
        if head.transaction is None:
            result = publish(record)
            if receipt is not None and result is False:
                return receipt + _DUPLICATE
            if receipt is not None and isinstance(result, ScheduleId):
                return b"%b\nschedule-id:%b" % (receipt, str(result).encode())
            return receipt
        transaction = open_transaction(self._session, head.transaction)
        transaction.send(route.target, publish, record)
        if receipt is not None:
            transaction.receipts.append(receipt)
        return None

    def _publish_to_topic(self, topic: Topic, record: bytes) -> None:
        topic.publish_from(record, self._stomp.session_id)
