"""Where a SEND goes, and on which way: what its head asks for, found once for all frames that share it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segue.broker.composite import Composite, Part
from segue.broker.deduplication import Identity, OnceTarget
from segue.broker.queue import Queue
from segue.broker.retained.retaining_topic import RetainingTopic
from segue.broker.schedule.delayed import Delayed
from segue.broker.topic import Topic
from segue.protocols.stomp.destination import DestinationKind, Use, parse_destination, split_list
from segue.protocols.stomp.errors import not_supported
from segue.protocols.stomp.frames import SendHead, leave_out, replace_header
from segue.protocols.stomp.headers import SCHEDULE_HEADERS, SendOptions, read_send
from segue.protocols.stomp.identity import identity_of
from segue.protocols.stomp.route import Route, Target
from segue.protocols.stomp.scheduler_management import MANAGEMENT_DESTINATIONS, SchedulerManagement, read_order
from segue.protocols.stomp.scheduling import delayed_target
from segue.protocols.stomp.subscribing import Subscribing
from segue.protocols.stomp.subscription import message_prefix
from segue.protocols.stomp.targets import Targets
from segue.protocols.stomp.varying_head import SharedHead
from segue.protocols.stomp.ways import Directly, InTransaction, Later, Once, Ordering, Retaining, Way

if TYPE_CHECKING:
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
        if isinstance(target, Delayed):
            route.visible_ms = target.due_ms
        route.way = self._way(route, head, options)
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
        route.way = Ordering(self._stomp, target)
        return route

    def _way(self, route: Route, head: SendHead, options: SendOptions) -> Way | None:
        """None for messages that are plain."""
        target, publish = route.target, route.publish
        once, message_prefix = self._once(target, options)
        if head.transaction is not None:
            return InTransaction(self._stomp, target, publish, once, message_prefix)
        if once is not None:
            return Once(*once, message_prefix)
        if isinstance(target, Delayed):
            return Later(target)
        if isinstance(target, RetainingTopic):
            return Retaining(target, publish)
        if isinstance(head, SharedHead):
            return Directly(publish, refuses=type(target) is not Queue or target.refuses)
        return None

    def _once(self, target: Target, options: SendOptions) -> tuple[tuple[OnceTarget, Identity] | None, bytes]:
        """Who knows repeats of these messages, if anybody does, and what the ids of his messages begin with.

        Topics keep nothing, and so know no repeats.
        """
        identity = identity_of(options)
        queue: object = target.queue if isinstance(target, Delayed) else target
        if isinstance(target, Composite) and target.queues:
            queue = target.queues[0]
        if identity is None or not isinstance(queue, Queue) or not isinstance(target, Queue | Composite | Delayed):
            return None, b""
        return (target, identity), message_prefix(queue.log.id, self._stomp.frontend.epoch)

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

    def _publish_to_topic(self, topic: Topic, record: bytes) -> None:
        topic.publish_from(record, self._stomp.session_id)
