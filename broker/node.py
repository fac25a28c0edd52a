"""The node: the one port that front-ends call. It owns the queues, the topics and the sessions of a data directory.

Every call on the path of messages is a plain function. A front-end makes any number of them and then calls `end_step`
once; all of them are then in one group commit, deliveries go out, and every connection's output leaves in one write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import trio

from segue.broker.clock import Clock
from segue.broker.dispatcher import Dispatcher
from segue.broker.errors import InUseError, LimitReachedError, NotFoundError, ShuttingDownError
from segue.broker.log_lines import Log
from segue.broker.pressure import Pressure
from segue.broker.queue import Queue, TemporaryQueue
from segue.broker.session import Session
from segue.broker.settings import Settings
from segue.broker.topic import Topic, TopicRoutes, TopicSubscription
from segue.broker.users import Users
from segue.storage.api import Log as StorageLog
from segue.storage.api import Store

__all__ = ["Node", "Output"]


class Output(Protocol):
    """A connection as the node sees it."""

    def flush_output(self) -> None:
        """Write what has gathered; called once at the end of a step in which `wrote` was called."""

    def let_go(self) -> None:
        """Publishers are no longer held."""

    def abandon(self, reason: str) -> None:
        """Close without another word; a connection that is closed already is no error."""

    def close(self, reason: str) -> None:
        """An operator, or the end of the broker, closes the connection."""


class Node:
    """See the module.

    Attributes:
        queues: durable queues by name.
        sessions: authenticated peers by id.
        held: True while publishers have to wait; acknowledgements are still taken.
        stopping: True once a stop has begun.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, log: Log, users: Users) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.log = log
        self.users = users
        self.queues: dict[str, Queue] = {}
        self.temporary: dict[str, TemporaryQueue] = {}
        self.topics = TopicRoutes(self)
        self.sessions: dict[int, Session] = {}
        self.pressure = Pressure(store, settings, clock)
        self.held = False
        self.stopping = False
        self.started_ms = clock.now_ms()
        self._last_session = 0
        self._told = False
        self._touched: list[Dispatcher] = []
        self._outbox: list[Output] = []
        self._waiting: list[Output] = []
        self._topics_by_name: dict[str, Topic] = {}
        self._take_up()
        store.after_step = self.end_step
        store.on_fault = self._report_fault

    # -- sessions

    def open_session(self, user: str, peer: str, protocol: str, output: Output) -> Session:
        """A peer has proved who it is."""
        if self.stopping:
            raise ShuttingDownError("the broker is shutting down")
        self._last_session += 1
        session = self.sessions[self._last_session] = Session(self, self._last_session, user, peer, protocol, output)
        return session

    # -- queues

    def queue(self, name: str) -> Queue:
        """The durable queue of a name, declared now if there is none.

        Raises:
            LimitReachedError: limits.queues_max is reached.
        """
        return self.queues.get(name) or self.declare_queue(name)

    def existing_queue(self, name: str) -> Queue:
        """The durable queue of a name.

        Raises:
            NotFoundError: there is none.
        """
        queue = self.queues.get(name)
        if queue is None:
            raise NotFoundError(f"no queue '{name}'")
        return queue

    def declare_queue(self, name: str, *, auto_delete: bool = False) -> Queue:
        """Create a durable queue; one that is there already is returned as it is."""
        if (queue := self.queues.get(name)) is not None:
            return queue
        if len(self.queues) >= self.settings.limits.queues_max:
            raise LimitReachedError(f"limits.queues_max ({self.settings.limits.queues_max}) is reached")
        definition: dict[str, Any] = {
            "kind": "queue",
            "name": name,
            "auto_delete": auto_delete,
            "created_ms": self.clock.now_ms(),
        }
        log = self.store.create_log(definition)
        cursor = self.store.create_cursor(log, {"kind": "queue"})
        queue = self.queues[name] = Queue(self, name, log, cursor, self.settings.limits.queue_in_flight_max)
        queue.auto_delete = auto_delete
        return queue

    def delete_queue(self, name: str, *, if_empty: bool = False, if_unused: bool = False) -> int:
        """Delete a queue with its messages; its consumers are told. Returns how many messages were owed.

        Raises:
            NotFoundError: there is none.
            InUseError: it has messages, or consumers, and that was excluded.
        """
        queue = self.existing_queue(name)
        statistics = queue.statistics()
        owed = statistics.ready + statistics.in_flight
        if if_empty and owed:
            raise InUseError(f"queue '{name}' has {owed} messages")
        if if_unused and statistics.consumers:
            raise InUseError(f"queue '{name}' has {statistics.consumers} consumers")
        del self.queues[name]
        queue.close("queue deleted")
        for pattern in queue.log.definition.get("bindings", ()):
            self.topics.unbind(pattern, queue.log)
        self.store.drop_log(queue.log)
        self.store.want()
        return owed

    def bind(self, queue: Queue, pattern: str) -> None:
        """From now on, messages to topics under `pattern` go to this queue too. Durable with the open batch."""
        definition = queue.log.definition
        bindings = list(definition.get("bindings", ()))
        if pattern not in bindings:
            bindings.append(pattern)
            self.store.redefine(queue.log, {**definition, "bindings": bindings})
            self.topics.bind(pattern, queue.log)

    # -- topics

    def topic(self, name: str) -> Topic:
        """Where to publish to a topic name."""
        topic = self._topics_by_name.get(name)
        if topic is None:
            if len(self._topics_by_name) >= self.settings.limits.queues_max:
                self._topics_by_name.clear()  # only a memo: routes are found again by name
            topic = self._topics_by_name[name] = Topic(self.topics, name)
        return topic

    def buffer_topic(self, pattern: str) -> TopicSubscription:
        """A new non-durable subscription; end it with `unbuffer_topic`."""
        limits = self.settings.limits
        log = self.store.create_log({}, journaled=False)
        cursor = self.store.create_cursor(log, {})
        subscription = TopicSubscription(
            self,
            pattern,
            log,
            cursor,
            limits.queue_in_flight_max,
            limits.topic_buffer_messages_max,
            limits.topic_buffer_bytes_max,
        )
        self.topics.add_buffer(pattern, subscription)
        return subscription

    def unbuffer_topic(self, subscription: TopicSubscription) -> None:
        """End a non-durable subscription."""
        self.topics.remove_buffer(subscription.name, subscription)
        self.store.drop_log(subscription.log)

    # -- temporary queues

    def create_temporary(self, name: str, owner: int) -> TemporaryQueue:
        """A queue in memory that belongs to a session."""
        limits = self.settings.limits
        log = self.store.create_log({}, journaled=False)
        cursor = self.store.create_cursor(log, {})
        queue = TemporaryQueue(
            self,
            name,
            log,
            cursor,
            limits.queue_in_flight_max,
            limits.temporary_queue_messages_max,
            limits.temporary_queue_bytes_max,
        )
        queue.owner = owner
        self.temporary[name] = queue
        return queue

    def delete_temporary(self, queue: TemporaryQueue) -> None:
        """Its session has ended."""
        self.temporary.pop(queue.name, None)
        queue.close("")
        self.store.drop_log(queue.log)

    # -- steps

    def on_durable(self, callback: Callable[[], None]) -> None:
        """Call back when everything done so far is on disk; at once if it is already."""
        if self.store.idle:
            callback()
        else:
            self.store.on_durable(callback)

    def touched(self, dispatcher: Dispatcher) -> None:
        """Something can be read that needs no disk: deliver it at the end of this step."""
        self._touched.append(dispatcher)

    def wrote(self, output: Output) -> None:
        """A connection has something to write at the end of this step. Called once, when its buffer was empty."""
        self._outbox.append(output)

    def wait_for_room(self, output: Output) -> None:
        """A connection has put publishing aside; it is told when it may go on."""
        self._waiting.append(output)

    def end_step(self) -> None:
        """Commit, deliver, write: called at the end of everything that has called the node."""
        while self._touched:
            touched, self._touched = self._touched, []
            for dispatcher in dict.fromkeys(touched):
                dispatcher.dispatch()
        self.store.flush()
        while self._outbox:
            outbox, self._outbox = self._outbox, []
            for output in outbox:
                try:
                    output.flush_output()
                except Exception as error:  # noqa: BLE001 - a fault of ours costs one connection, not the broker
                    self.log.crash("internal.error", error)
                    output.abandon("internal error")
        held = self.pressure.check()
        if held != self.held:
            self.held = held
            self._report_pressure()
        if self._waiting and not held:
            waiting, self._waiting = self._waiting, []
            for output in waiting:
                output.let_go()
            self.end_step()

    async def watch(self) -> None:
        """Look at disk and memory every second, for as long as the broker runs."""
        while True:
            await self.pressure.look_at_disk()
            self.end_step()
            await trio.sleep(1)

    def _report_pressure(self) -> None:
        # Waiting a moment for the disk or for a checkpoint is daily life; memory and disk marks are news.
        if self.held and self.pressure.alarm:
            self.log.warning("publishers.held", reason="; ".join(self.pressure.reasons))
            self._told = True
        elif not self.held and self._told:
            self.log.info("publishers.released")
            self._told = False

    def _report_fault(self, log: StorageLog, text: str) -> None:
        definition = log.definition
        self.log.error("storage.unreadable", queue=definition.get("name") or definition.get("pattern"), reason=text)

    def _take_up(self) -> None:
        """Make queues and topics of what the store has recovered."""
        in_flight_max = self.settings.limits.queue_in_flight_max
        for log in list(self.store.logs.values()):
            definition = log.definition
            if definition.get("kind") == "queue":
                queue = Queue(self, str(definition["name"]), log, log.cursors[0], in_flight_max)
                queue.auto_delete = bool(definition.get("auto_delete"))
                self.queues[queue.name] = queue
                for pattern in definition.get("bindings", ()):
                    self.topics.bind(str(pattern), log)
            elif definition.get("kind") == "topic":
                self.topics.recovered(log, definition, in_flight_max)
