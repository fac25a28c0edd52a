"""Topics: which subscriptions a published name reaches, and the two kinds of subscription.

Names are words separated by `.`; in a subscription `*` stands for one word and `#` (or `>`) at any place for any
number of words, none included. A non-durable subscription is a bounded buffer in memory. A durable one is a cursor on
the log of its pattern: all durable subscriptions with the same pattern share one log, so that a message for a thousand
of them is stored once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from segue.broker.bound import Bound
from segue.broker.dead_letter_office import DeadLetterOffice
from segue.broker.dispatcher import Dispatcher
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers
from segue.broker.levels import Levels
from segue.broker.marks import Marked, mark
from segue.broker.queue import MemoryQueue, Queue
from segue.broker.queue_options import NO_OPTIONS, QueueOptions
from segue.broker.selector import Selector, compile_selector
from segue.storage.api import Cursor, Log

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["DurableSubscription", "Topic", "TopicRoutes", "TopicSubscription", "matches"]

_ROUTES_KEPT_MAX = 500_000
"""Subscriptions in all routes that are remembered: 8 bytes each, and a name with none counts as one."""
_TELL_SECONDS: Final = 60.0
"""Between two lines in the log about one subscriber that does not keep up."""
_Found: TypeAlias = "tuple[tuple[TopicSubscription, ...], tuple[Log, ...], tuple[Levels, ...]]"
_WILDCARDS = frozenset({"*", "#", ">"})


def matches(pattern: list[str], words: list[str]) -> bool:
    """True when a published name falls under a subscription's pattern, both of them as their words."""
    # Rows of the classic table: `reached` are the positions in `words` that the pattern so far can end at.
    reached = {0}
    for part in pattern:
        if part in ("#", ">"):
            reached = set(range(min(reached), len(words) + 1)) if reached else set()
        elif part == "*":
            reached = {at + 1 for at in reached if at < len(words)}
        else:
            reached = {at + 1 for at in reached if at < len(words) and words[at] == part}
        if not reached:
            return False
    return len(words) in reached


class TopicSubscription(MemoryQueue):
    """A non-durable subscription: in memory, bounded; the oldest message goes when it is full.

    Attributes:
        dropped: messages that went because the subscriber was too slow.
        subscriber: the session that it belongs to.
        no_local: True when that session's own messages are not wanted.
        selector: which messages are wanted; None for all.
    """

    kind = "topic-subscription"

    def __init__(
        self, node: Node, pattern: str, log: Log, cursor: Cursor, in_flight_max: int, messages_max: int, bytes_max: int
    ) -> None:
        super().__init__(node, pattern, log, cursor, in_flight_max, messages_max, bytes_max)
        self.dropped = 0
        self.subscriber = 0
        self.no_local = False
        self.selector: Selector | None = None
        self._told_dropped = 0  # of `dropped`, what a line in the log has told of
        self._tell_at = 0.0
        self._bytes_always = bytes_max // 16

    def publish(self, record: bytes) -> int:
        """Accept a message; the subscriber gets it at the end of this step. Returns its number."""
        log = self.log
        number = self.append(record)
        if log.hot_bytes > self._bytes_always or log.head - self.cursor.next > self.messages_max:
            self._make_room()
        self.node.touched(self.dispatcher)
        return number

    def may_have_out(self) -> bool:
        """What is out can't be dropped: so there is an end to it, whatever the prefetch."""
        return self.log.hot_bytes <= max(self.bytes_now_max, self._bytes_always)

    def _make_room(self) -> None:
        log, cursor = self.log, self.cursor
        bytes_max = self.bytes_now_max
        while cursor.next < log.head - 1 and (log.head - cursor.next > self.messages_max or log.hot_bytes > bytes_max):
            self.dropped += cursor.skip_to(cursor.next + 1)
            self.node.topics.dropped += 1
        if self.dropped > self._told_dropped and self.node.clock.monotonic() >= self._tell_at:
            self._tell()

    def close(self, reason: str) -> None:
        """See `Queue`."""
        super().close(reason)
        if self.dropped > self._told_dropped:
            self._tell()

    def _tell(self) -> None:
        """At the first message that is dropped, then once a minute at most, and at the end of the subscription."""
        self._tell_at = self.node.clock.monotonic() + _TELL_SECONDS
        session = self.node.sessions.get(self.subscriber)
        self.node.log.warning(
            "messages.dropped",
            topic=self.name,
            connection=self.subscriber,
            peer=session.peer if session is not None else "",
            dropped=self.dropped - self._told_dropped,
            together=self.dropped,
        )
        self._told_dropped = self.dropped


class DurableSubscription:
    """A named place in the log of a pattern.

    Attributes:
        options: what it does beyond holding messages, see `apply`.
    """

    def __init__(self, topic_log: TopicLog, name: str, cursor: Cursor, in_flight_max: int) -> None:
        self.topic_log = topic_log
        self.name = name
        self.cursor = cursor
        self.dispatcher = Dispatcher(cursor, in_flight_max)
        self.dispatcher.go_on_later = topic_log.node.go_on_later
        self.options = NO_OPTIONS
        if selector := cursor.definition.get("selector"):
            self.dispatcher.selector = compile_selector(selector)

    def apply(self, options: QueueOptions) -> None:
        """As `Queue.apply`; what a subscription can't do, such as to refuse its publishers, is passed over."""
        self.options = options
        node, dispatcher, cursor = self.topic_log.node, self.dispatcher, self.cursor
        office = DeadLetterOffice(node, dispatcher, self.name, options.dead_letter)
        dispatcher.bury = office.bury if options.dead_letter else None
        dispatcher.delivery_limit = options.delivery_limit
        maximum = options.messages_max
        dispatcher.bound = None if maximum is None else Bound(cursor, maximum, None)
        self.topic_log.set_expiry(self)
        if options.delivery_limit:
            dispatcher.judge_returned()
        if cursor.condemned or dispatcher.bound is not None:
            node.touched(dispatcher)

    @property
    def pattern(self) -> str:
        """What it subscribes to."""
        return self.topic_log.pattern

    def is_for(self, pattern: str, selector: Selector | None) -> bool:
        """True when it subscribes to just this."""
        return self.pattern == pattern and self.dispatcher.selector == selector


class TopicLog:
    """The log that all durable subscriptions with one pattern share."""

    def __init__(self, node: Node, pattern: str, log: Log) -> None:
        self.node = node
        self.pattern = pattern
        self.log = log
        self.subscriptions: dict[str, DurableSubscription] = {}
        log.listener = self._dispatch

    def note_expiring(self) -> None:
        """As `Queue.note_expiring`, for all subscriptions."""
        if mark(self.node.store, self.log, "expiring"):
            for subscription in self.subscriptions.values():
                self.set_expiry(subscription)

    def set_expiry(self, subscription: DurableSubscription) -> None:
        """This subscription's messages have deadlines, or none."""
        dispatcher, ttl_ms = subscription.dispatcher, subscription.options.message_ttl_ms
        if ttl_ms is not None or self.log.definition.get("expiring"):
            dispatcher.expiry = Expiry(self.node.clock, ttl_ms)
            self.node.sweep_regularly(dispatcher)
        elif dispatcher.expiry is not None:
            self.node.sweep_no_more(dispatcher)
            dispatcher.expiry = None
            dispatcher.sweeping = False

    def _dispatch(self) -> None:
        for subscription in list(self.subscriptions.values()):
            if subscription.dispatcher.consumers or subscription.dispatcher.bound is not None:
                subscription.dispatcher.dispatch()
                self.node.relieve()


class Topic(Marked):
    """What a publisher to one topic name holds: a route that finds its subscriptions anew when they change."""

    def __init__(self, routes: TopicRoutes, name: str) -> None:
        self._routes = routes
        self.name = name
        self.open = True

    def publish(self, record: bytes) -> None:
        """Give a message to every subscription that matches."""
        self.publish_from(record, 0)

    def publish_all(self, records: list[bytes]) -> None:
        """As `publish`, of several, one behind the other."""
        for record in records:
            self.publish(record)

    def note_expiring(self) -> None:
        """A message with a deadline of its own is about to be published here. Durable with the open batch."""
        self._routes.note_expiring()

    def note_grouped(self) -> None:
        """As `note_expiring`, of a message that belongs to a group: it matters to queues that are bound."""
        self._routes.note_grouped()

    def check_room(self, messages: int, size: int) -> None:
        """There is always room: buffers drop their oldest, logs are bounded by the disk."""

    def publish_from(self, record: bytes, session_id: int) -> None:
        """As `publish`, but not to subscriptions that don't want messages of this session."""
        buffers, logs, leveled = self._routes.find(self.name)
        if leveled:
            logs = (*logs, *(levels.log_for(record) for levels in leveled))
        if logs:
            if len(logs) == 1:
                logs[0].append(record)
            else:
                self._routes.node.store.append_to(logs, record)
        if buffers:
            self._routes.node.fan_out_bytes += len(record) * len(buffers)
        headers: Headers | None = None
        for buffer in buffers:
            if buffer.selector is not None:
                headers = headers or Headers(record)
                if not buffer.selector.matches(headers):
                    continue
            if not buffer.no_local or buffer.subscriber != session_id:
                buffer.publish(record)


class TopicRoutes:
    """All topic subscriptions of a node, by pattern.

    Attributes:
        dropped: messages that non-durable subscribers have lost since the start because they were too slow.
        expiring: messages with deadlines have been published.
        grouped: messages of groups have been published.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.dropped = 0
        self.expiring = False
        self.grouped = False
        self._buffers: dict[str, list[TopicSubscription]] = {}
        self._logs: dict[str, TopicLog] = {}
        self._durable: dict[str, DurableSubscription] = {}
        self._bound: dict[str, list[Queue]] = {}
        self._wild: dict[str, list[str]] = {}  # the words of patterns with wildcards; the others are names
        self._found: dict[str, _Found] = {}
        self._found_size = 0

    def find(self, name: str) -> _Found:
        """What a message to `name` goes to: subscriptions in memory, logs, and queues that have one for each priority.

        Each once, however many of its patterns match.
        """
        found = self._found.get(name)
        if found is None:
            patterns = self._patterns_of(name)
            buffers = tuple(one for pattern in patterns for one in self._buffers.get(pattern, ()))
            logs = [self._logs[pattern].log for pattern in patterns if pattern in self._logs]
            bound = dict.fromkeys(queue for pattern in patterns for queue in self._bound.get(pattern, ()))
            logs += [queue.log for queue in bound if queue.levels is None]
            self._found_size += 1 + len(buffers) + len(logs) + len(bound)
            if self._found_size > _ROUTES_KEPT_MAX:
                self.forget_routes()
            leveled = tuple(queue.levels for queue in bound if queue.levels is not None)
            found = self._found[name] = buffers, tuple(logs), leveled
        return found

    def _patterns_of(self, name: str) -> list[str]:
        """The patterns that somebody has subscribed to and that match a name."""
        words = name.split(".")
        return [name, *(pattern for pattern, parts in self._wild.items() if pattern != name and matches(parts, words))]

    def _changed(self, pattern: str) -> None:
        """Who subscribes to a pattern is no longer the same."""
        parts = pattern.split(".")
        if _WILDCARDS.isdisjoint(parts):
            self._found.pop(pattern, None)
            return
        if pattern in self._buffers or pattern in self._logs or pattern in self._bound:
            self._wild[pattern] = parts
        else:
            self._wild.pop(pattern, None)
        self.forget_routes()

    def forget_routes(self) -> None:
        """They are found anew, as something is somewhere else now."""
        self._found.clear()
        self._found_size = 0

    def topics(self) -> Iterator[tuple[str, int, int, int]]:
        """(pattern, non-durable subscriptions, durable ones, messages that the former have lost) of every pattern."""
        for pattern in sorted(self._buffers.keys() | self._logs.keys() | self._bound.keys()):
            durable = self._logs[pattern].subscriptions if pattern in self._logs else ()
            buffers = self._buffers.get(pattern, ())
            yield pattern, len(buffers), len(durable), sum(buffer.dropped for buffer in buffers)

    def add_buffer(self, pattern: str, subscription: TopicSubscription) -> None:
        """A non-durable subscription begins."""
        if self.expiring:
            subscription.note_expiring()
        self._buffers.setdefault(pattern, []).append(subscription)
        self._changed(pattern)

    def remove_buffer(self, pattern: str, subscription: TopicSubscription) -> None:
        """A non-durable subscription ends."""
        subscriptions = self._buffers[pattern]
        subscriptions.remove(subscription)
        if not subscriptions:
            del self._buffers[pattern]
        self._changed(pattern)

    def note_expiring(self) -> None:
        """Messages to topics have deadlines from now on: which subscriptions one goes to may change at any time."""
        if self.expiring:
            return
        self.expiring = True
        for topic_log in self._logs.values():
            topic_log.note_expiring()
        for subscriptions in self._buffers.values():
            for subscription in subscriptions:
                subscription.note_expiring()
        for queue in self.node.queues.values():
            if queue.definition.get("bindings"):
                queue.note_expiring()

    def note_grouped(self) -> None:
        """As `note_expiring`, for groups; subscriptions have one consumer, or deliver in any order."""
        if self.grouped:
            return
        self.grouped = True
        for queue in self.node.queues.values():
            if queue.definition.get("bindings"):
                queue.note_grouped()

    def bind(self, pattern: str, queue: Queue) -> None:
        """Messages under a pattern go to a queue too."""
        self._bound.setdefault(pattern, []).append(queue)
        self._changed(pattern)

    def unbind(self, pattern: str, queue: Queue) -> None:
        """No longer."""
        self._bound[pattern].remove(queue)
        if not self._bound[pattern]:
            del self._bound[pattern]
        self._changed(pattern)

    def durable(self, name: str) -> DurableSubscription | None:
        """The durable subscription of a name."""
        return self._durable.get(name)

    @property
    def durable_count(self) -> int:
        """How many durable subscriptions there are."""
        return len(self._durable)

    def durables(self) -> list[DurableSubscription]:
        """All durable subscriptions."""
        return list(self._durable.values())

    def create_durable(
        self, name: str, pattern: str, in_flight_max: int, selector: Selector | None = None
    ) -> DurableSubscription:
        """A new durable subscription; it gets what is published from now on, and is selected."""
        store = self.node.store
        topic_log = self._logs.get(pattern)
        if topic_log is None:
            topic_log = self._logs[pattern] = TopicLog(
                self.node, pattern, store.create_log({"kind": "topic", "pattern": pattern})
            )
        definition = {"kind": "subscription", "name": name}
        if selector is not None:
            definition["selector"] = selector.text
        cursor = store.create_cursor(topic_log.log, definition, at_head=True)
        return self._keep(topic_log, name, cursor, in_flight_max)

    def delete_durable(self, subscription: DurableSubscription) -> None:
        """It is gone, with what it still owed; the log goes with the last one."""
        store = self.node.store
        topic_log = subscription.topic_log
        subscription.dispatcher.bury_at_hand()
        subscription.dispatcher.close()
        del self._durable[subscription.name]
        del topic_log.subscriptions[subscription.name]
        if topic_log.subscriptions:
            store.drop_cursor(subscription.cursor)
        else:
            store.drop_log(topic_log.log)
            del self._logs[topic_log.pattern]
        self._changed(topic_log.pattern)

    def recovered(self, log: Log, definition: dict[str, Any], in_flight_max: int) -> None:
        """Take up a log that the store has recovered."""
        pattern = str(definition["pattern"])
        topic_log = self._logs[pattern] = TopicLog(self.node, pattern, log)
        for cursor in log.cursors:
            self._keep(topic_log, str(cursor.definition["name"]), cursor, in_flight_max)

    def _keep(self, topic_log: TopicLog, name: str, cursor: Cursor, in_flight_max: int) -> DurableSubscription:
        subscription = DurableSubscription(topic_log, name, cursor, in_flight_max)
        topic_log.subscriptions[name] = self._durable[name] = subscription
        if topic_log.log.definition.get("expiring"):
            self.expiring = True
            topic_log.set_expiry(subscription)
        elif self.expiring:
            topic_log.note_expiring()
        self.node.apply_policies_to_subscription(subscription)
        self._changed(topic_log.pattern)
        return subscription
