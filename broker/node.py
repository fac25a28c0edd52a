"""The node: the one port that front-ends call. It owns the queues, the topics and the sessions of a data directory.

Every call on the path of messages is a plain function. A front-end makes any number of them and then calls `end_step`
once; all of them are then in one group commit, deliveries go out, and every connection's output leaves in one write.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import trio

from segue.broker.alarms import Alarms
from segue.broker.clock import Clock, SteadyClock
from segue.broker.clock_watch import ClockWatch
from segue.broker.deduplication import DeduplicationMemory
from segue.broker.deep_sweep import DeepSweep
from segue.broker.dispatcher import Dispatcher
from segue.broker.errors import InUseError, LimitReachedError, NotFoundError, ShuttingDownError
from segue.broker.idle_queues import IdleQueues
from segue.broker.jobs import Jobs
from segue.broker.leases import Leases
from segue.broker.log_lines import Log
from segue.broker.policies import Policies
from segue.broker.policy_book import PolicyBook
from segue.broker.pressure import Pressure
from segue.broker.queue import MemoryQueue, Queue, TemporaryQueue
from segue.broker.queue_options import NO_OPTIONS, QueueOptions
from segue.broker.receiving import Receiving
from segue.broker.recovery import take_up
from segue.broker.retained.retained import RetainedMessages
from segue.broker.schedule.schedule import Schedule
from segue.broker.selector_parser import SelectorParser
from segue.broker.session import Session
from segue.broker.settings import Settings
from segue.broker.topic import DurableSubscription, Topic, TopicRoutes, TopicSubscription
from segue.broker.totals import Totals
from segue.broker.users import Users
from segue.storage.api import Store

__all__ = ["Node", "Output"]

_InMemory = TypeVar("_InMemory", bound=MemoryQueue)

_ROUNDS_MAX: Final = 4
"""Times that outputs are written in one step. A peer that takes what it is sent as fast as we make it could go on for
ever, and nobody else would have his turn."""
_OUTPUTS_GATHERED_MAX: Final = 16
"""Connections whose deliveries of large messages wait in memory at the same time: they are copies, one for each."""
_SWEPT_MAX: Final = 4096
"""Expired messages in one step, but for what one queue may take at most: there may be ten thousand of them."""
_IDLE_MAX: Final = 256
"""Idle queues that are deleted in one second: some 20 milliseconds."""
_FAN_OUT_BYTES: Final = 16 << 20
"""What subscribers are given in one step from which on their outputs are written in between."""


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
        clock: what deadlines are counted by.
        clock_watch: sees to it that it goes on as it was after a restart.
        queues: durable queues by name.
        alarms: what it tells the log of for as long as it lasts.
        leases: messages that are out with peers who have no session.
        jobs: work on queues that goes on from step to step.
        policy_book: what gives them options that they were not declared with.
        schedule: what is to be delivered later.
        deduplication: what they remember of their publishers.
        retained: the last messages of topics, for who subscribes later; to be loaded before anybody does.
        selectors: what compiles them.
        states: what front-ends show operators of themselves, by the names of the members; see `inspect.state`.
        sessions: authenticated peers by id.
        held: True while publishers have to wait; acknowledgements are still taken.
        fan_out_bytes: what subscribers to topics are to be given in this step, at most; kept by the topics.
        stopping: True once a stop has begun.
        routes_version: another number when a queue has begun to refuse, or no longer does: who keeps how to publish to
            one has to look again.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock, log: Log, users: Users) -> None:
        self.store = store
        self.settings = settings
        self.clock = SteadyClock(clock)
        self.clock_watch = ClockWatch(store, self.clock, log)
        self.log = log
        self.users = users
        self.queues: dict[str, Queue] = {}
        self.temporary: dict[str, TemporaryQueue] = {}
        self.topics = TopicRoutes(self)
        self.sessions: dict[int, Session] = {}
        self.pressure = Pressure(store, settings, clock)
        self.alarms = Alarms(log, store, self.pressure)
        self.receiving = Receiving(settings.memory.receiving_bytes_max, settings.limits.frame_seconds)
        self.idle_queues = IdleQueues(clock)
        self.policy_book = PolicyBook(store, settings.policies)
        self.routes_version = 0
        self.schedule = Schedule(self)
        self.states: dict[str, Callable[[], Any]] = {}
        self.deduplication = DeduplicationMemory(self, settings.memory.deduplication_bytes_max)
        self.retained = RetainedMessages(self)
        self.selectors = SelectorParser(self)
        self._deep_sweep = DeepSweep(store, lambda: self._sweeps, self.end_step)
        self.held = False
        self.stopping = False
        self._last_session = 0
        self._stuck: dict[Dispatcher, None] = {}
        self.fan_out_bytes = 0
        self._touched: list[Dispatcher] = []
        self._later: list[Dispatcher] = []
        self._sweeps: dict[Dispatcher, float] = {}  # and when each is due
        self._sweeping: list[Dispatcher] = []  # what is left of a round
        self._outbox: list[Output] = []
        self._waiting: dict[Output, None] = {}
        self._more = trio.Event()
        self._topics_by_name: dict[str, Topic] = {}
        self.jobs = Jobs(self)
        self.leases = Leases(self)
        take_up(self)
        self.totals = Totals(self.queues.values())
        self.started_ms = self.clock.now_ms()
        store.after_step = self.end_step
        store.on_fault = self.alarms.storage_fault

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

    def declare_queue(
        self,
        name: str,
        *,
        auto_delete: bool = False,
        durable: bool = True,
        exclusive_to: int = 0,
        options: QueueOptions = NO_OPTIONS,
    ) -> Queue:
        """Create a queue; one that is there already is returned as it is.

        Args:
            name: of the queue.
            auto_delete: it goes with its last consumer.
            durable: it survives a restart; its messages are on disk all the same.
            exclusive_to: the session that alone may consume from it, and whose end is its end; 0 for none.
            options: what it does beyond holding messages.
        """
        if (queue := self.queues.get(name)) is not None:
            return queue
        self.check_queues()
        definition: dict[str, Any] = {"auto_delete": auto_delete, "created_ms": self.clock.wall.now_ms()}
        if exclusive_to or not durable:
            definition["durable"] = False
        if options is not NO_OPTIONS:
            definition["options"] = options.as_definition()
        queue = self.make_queue(name, definition)
        queue.auto_delete = auto_delete
        queue.owner = exclusive_to
        queue.exclusive = exclusive_to != 0
        self.apply_policies(queue)
        self.queues[name] = queue
        return queue

    def redeclare_queue(self, queue: Queue, options: QueueOptions) -> None:
        """From now on it is as if a queue had been declared with these options. Durable with the open batch."""
        self.store.redefine(queue.log, {**queue.definition, "options": options.as_definition()})
        self.apply_policies(queue)

    def make_queue(self, name: str, definition: dict[str, Any]) -> Queue:
        """A new queue, durable with the open batch; nobody finds it by its name yet."""
        log = self.store.create_log({"kind": "queue", "name": name, **definition})
        cursor = self.store.create_cursor(log, {"kind": "queue"})
        return Queue(self, name, log, cursor, self.settings.limits.queue_in_flight_max)

    def apply_policies(self, queue: Queue) -> bool:
        """Give a durable queue the options that are in force for it. Returns whether that changes something."""
        options = self.policies.options(queue.name, queue.declared)
        if options == queue.options:
            return False
        before = queue.refuses, queue.options.priority_max
        queue.apply(options)
        if before != (queue.refuses, options.priority_max) and self.queues.get(queue.name) is queue:
            self.routes_version += 1
        return True

    def apply_policies_to_subscription(self, subscription: DurableSubscription) -> bool:
        """As `apply_policies`, for a durable subscription."""
        options = self.policies.subscription_options(subscription.name)
        if options == subscription.options:
            return False
        subscription.apply(options)
        return True

    @property
    def policies(self) -> Policies:
        """What is in force now."""
        return self.policy_book.policies

    def check_queues(self) -> None:
        """Raises LimitReachedError when there may be no further queue or durable subscription."""
        maximum = self.settings.limits.queues_max
        if len(self.queues) + self.topics.durable_count >= maximum:
            raise LimitReachedError(f"limits.queues_max ({maximum}) is reached")

    def delete_queue(self, name: str, *, if_empty: bool = False, if_unused: bool = False) -> int:
        """Delete a queue with its messages; its consumers are told. Returns how many messages were owed.

        Raises:
            NotFoundError: there is none.
            InUseError: it has messages, or consumers, and that was excluded.
        """
        queue = self.existing_queue(name)
        queue.dispatcher.bury_at_hand()
        statistics = queue.statistics()
        owed = statistics.ready + statistics.in_flight + len(queue.cursor.condemned)
        if if_empty and owed:
            raise InUseError(f"queue '{name}' has {owed} messages")
        if if_unused and statistics.consumers:
            raise InUseError(f"queue '{name}' has {statistics.consumers} consumers")
        del self.queues[name]
        self.totals.note_deleted(statistics)
        queue.close("queue deleted")
        self.idle_queues.forget(queue)
        for pattern in queue.log.definition.get("bindings", ()):
            self.topics.unbind(pattern, queue)
        for log in queue.logs:
            self.store.drop_log(log)
        self.deduplication.drop(queue.log)
        self.store.want()
        return owed

    def delete_idle_queues(self) -> None:
        """Delete queues that nobody has used for as long as their options say. To be called every second or so."""
        for queue in self.idle_queues.expired(_IDLE_MAX):
            messages = self.delete_queue(queue.name)
            self.log.info("queue.expired", queue=queue.name, messages=messages)

    def dead_letters_stuck(self, dispatcher: Dispatcher, name: str, reason: str) -> None:
        """Dead letters can't go to the queue of a name now: they stay where they are, and that is tried again."""
        self._stuck[dispatcher] = None
        self.alarms.dead_letters_stuck(name, reason)

    def bind(self, queue: Queue, pattern: str) -> None:
        """From now on, messages to topics under `pattern` go to this queue too. Durable with the open batch."""
        definition = queue.log.definition
        bindings = list(definition.get("bindings", ()))
        if pattern not in bindings:
            bindings.append(pattern)
            self.store.redefine(queue.log, {**definition, "bindings": bindings})
            self.topics.bind(pattern, queue)
            if self.topics.expiring:
                queue.note_expiring()
            if self.topics.grouped:
                queue.note_grouped()

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
        subscription = self._open_in_memory(
            TopicSubscription, pattern, limits.topic_buffer_messages_max, limits.topic_buffer_bytes_max
        )
        self.topics.add_buffer(pattern, subscription)
        return subscription

    def unbuffer_topic(self, subscription: TopicSubscription) -> None:
        """End a non-durable subscription."""
        self.topics.remove_buffer(subscription.name, subscription)
        self._close_in_memory(subscription)

    # -- temporary queues

    def create_temporary(self, name: str, owner: int) -> TemporaryQueue:
        """A queue in memory that belongs to a session."""
        limits = self.settings.limits
        queue = self._open_in_memory(
            TemporaryQueue, name, limits.temporary_queue_messages_max, limits.temporary_queue_bytes_max
        )
        queue.owner = owner
        self.temporary[name] = queue
        return queue

    def delete_temporary(self, queue: TemporaryQueue) -> None:
        """Its session has ended."""
        self.temporary.pop(queue.name, None)
        self._close_in_memory(queue)

    def _open_in_memory(self, kind: type[_InMemory], name: str, messages_max: int, bytes_max: int) -> _InMemory:
        log = self.store.create_log({}, journaled=False)
        cursor = self.store.create_cursor(log, {})
        return kind(self, name, log, cursor, self.settings.limits.queue_in_flight_max, messages_max, bytes_max)

    def _close_in_memory(self, queue: MemoryQueue) -> None:
        queue.close("")
        self.deduplication.drop(queue.log)
        self.store.drop_log(queue.log)
        queue.account()

    # -- steps

    def on_durable(self, callback: Callable[[], None], output: Output | None = None) -> None:
        """Call back when everything done so far is on disk; at once if it is already.

        A fault in it is logged, and costs `output` its connection; others' callbacks, and the broker, go on.
        """
        if self.store.idle:
            callback()
        else:
            self.store.on_durable(partial(self._guard, callback, output))

    def touched(self, dispatcher: Dispatcher) -> None:
        """Something can be read that needs no disk: deliver it at the end of this step."""
        self._touched.append(dispatcher)

    def sweep_regularly(self, dispatcher: Dispatcher) -> None:
        """Messages of this one expire: what is past its deadline goes, though nobody consumes."""
        self._sweeps[dispatcher] = 0

    def sweep_no_more(self, dispatcher: Dispatcher) -> None:
        """They expire no more."""
        self._sweeps.pop(dispatcher, None)
        if dispatcher in self._sweeping:
            self._sweeping.remove(dispatcher)

    def go_on_later(self, dispatcher: Dispatcher) -> None:
        """There is more to be dispatched than one step should take: it goes on in the next one, which comes soon."""
        self._later.append(dispatcher)
        self._more.set()

    def wrote(self, output: Output) -> None:
        """A connection has something to write at the end of this step. Called once, when its buffer was empty."""
        self._outbox.append(output)

    def wait_for_room(self, output: Output) -> None:
        """A connection has put publishing aside; it is told when it may go on."""
        self._waiting[output] = None

    def stop_waiting(self, output: Output) -> None:
        """It need not be told any more."""
        self._waiting.pop(output, None)

    def end_step(self) -> None:
        """Commit, deliver, write: called at the end of everything that has called the node."""
        if self._later:
            self._touched += self._later
            self._later.clear()
        while True:
            for _ in range(_ROUNDS_MAX):
                if self._touched:
                    self._dispatch_touched()
                self.store.start()
                if self._outbox:
                    self._flush_outputs()
                elif not self._touched:
                    break
            else:
                self._more.set()
            self._look_at_pressure()
            if self.held or not self._waiting:
                break
            self._let_go()
        self.store.collect()

    def relieve(self) -> None:
        """Write what has gathered, if it is for many connections: between the copies of a large fan-out."""
        if len(self._outbox) >= _OUTPUTS_GATHERED_MAX:
            self._flush_outputs()

    def _dispatch_touched(self) -> None:
        while self._touched:
            touched, self._touched = self._touched, []
            large = self.fan_out_bytes > _FAN_OUT_BYTES
            self.fan_out_bytes = 0
            for dispatcher in dict.fromkeys(touched):
                dispatcher.dispatch()
                if large:
                    self.relieve()

    def _flush_outputs(self) -> None:
        outbox, self._outbox = self._outbox, []
        for output in outbox:
            try:
                output.flush_output()
            except Exception as error:  # noqa: BLE001 - as in `_guard`, which is a call more for each write
                self.log.crash("internal.error", error)
                output.abandon("internal error")

    def _let_go(self) -> None:
        """Publishers go on, one after the other, until they have to wait again; who came first goes first."""
        for output in list(self._waiting):
            if self.held:
                break
            if output in self._waiting:
                del self._waiting[output]
                self._guard(output.let_go, output)
                self._look_at_pressure()

    def _guard(self, call: Callable[[], None], output: Output | None) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one connection, not the broker
            self.log.crash("internal.error", error)
            if output is not None:
                output.abandon("internal error")

    def _look_at_pressure(self) -> None:
        self.held = self.pressure.check()
        self.alarms.look_at_pressure()

    def look_at_clock(self) -> None:
        """Notice that somebody has set the clock on the wall. To be called every second or so."""
        if set_by_ms := self.clock_watch.look():
            self.schedule.clock_was_set(set_by_ms)

    async def watch(self) -> None:
        """Look at disk and memory every second, and do what steps have left over, for as long as the broker runs."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._go_on)
            nursery.start_soon(self.schedule.run)
            nursery.start_soon(self._deep_sweep.run)
            nursery.start_soon(self.jobs.serve)
            nursery.start_soon(self.leases.serve)
            nursery.start_soon(self.selectors.serve)
            while True:
                self.alarms.look_at_commit(self.clock.monotonic())
                await self.pressure.look_at_disk()
                self.look_at_clock()
                now = self.clock.monotonic()
                self.deduplication.forget()
                self.receiving.check(now, held=self.held)
                self.alarms.look_at_checkpoints()
                self.delete_idle_queues()
                self.sweep()
                self.end_step()
                await trio.sleep(1)

    def sweep(self) -> None:
        """Take expired messages from the heads of queues, and move what was stuck. To be called every second or so."""
        now = self.clock.monotonic()
        self._touched += self._stuck
        self._stuck.clear()
        for dispatcher in [one for one in self._sweeps if not one.open]:
            del self._sweeps[dispatcher]
        self._sweeping = [dispatcher for dispatcher, due in self._sweeps.items() if due <= now]
        self._sweep_some()

    def _sweep_some(self) -> None:
        """Go on with a round; what one step should not take is left for the next."""
        now = self.clock.monotonic()
        expired = 0
        while self._sweeping and expired < _SWEPT_MAX:
            dispatcher = self._sweeping.pop()
            if dispatcher.open:
                expired -= dispatcher.expired
                self._sweeps[dispatcher] = now + dispatcher.sweep()
                expired += dispatcher.expired
        if self._sweeping:
            self._more.set()

    async def _go_on(self) -> None:
        while True:
            await self._more.wait()
            self._more = trio.Event()
            self._sweep_some()
            self.end_step()
