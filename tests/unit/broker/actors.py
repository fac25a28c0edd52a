"""Who plays with a node in the tests of the broker: a consumer's sink, a connection's output, and the node itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segue.broker.consumer import Consumer
from segue.broker.headers import Headers
from segue.broker.message import Record, decode, encode, prefix
from segue.broker.node import Node
from segue.broker.queue import Queue
from segue.broker.session import Session, Subscription
from segue.broker.settings import Policy, Settings
from segue.broker.users import Users
from tests.helpers.recorded_log import RecordedLog
from tests.unit.broker.memory_store import FakeClock, MemoryStore

__all__ = ["Delivery", "FakeOutput", "FakeSink", "World", "body_of", "header", "record"]


def record(body: bytes | str, headers: bytes = b"") -> bytes:
    """A message as it travels through the broker."""
    common, crc = prefix(1_000, headers)
    return encode(common, crc, body.encode() if isinstance(body, str) else body)


def body_of(message: bytes) -> str:
    """What `record` was given."""
    decoded: Record = decode(message)
    return decoded.body.decode()


def header(message: Record, name: str) -> str | None:
    """The value of a header of a message, None when there is none."""
    common = prefix(message.accepted_ms, message.headers, message.flags, message.expires_ms, message.encoding)
    return Headers(encode(*common, message.body)).get(name)


@dataclass(frozen=True)
class Delivery:
    """A message as a consumer has got it."""

    seq: int
    body: str
    deliveries: int
    redelivered: bool


@dataclass
class FakeSink:
    """A `segue.broker.consumer.Sink` that keeps what it is given."""

    blocked: bool = False
    deliveries: list[Delivery] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        self.deliveries += [
            Delivery(seq, body_of(message), 1, redelivered) for seq, message in zip(seqs, records, strict=True)
        ]

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        self.deliveries.append(Delivery(seq, body_of(record), deliveries, True))

    def cancelled(self, reason: str) -> None:
        self.reasons.append(reason)

    def failed(self, error: Exception) -> None:
        self.reasons.append(f"failed: {error}")

    def take(self) -> list[Delivery]:
        """What came since the last call."""
        taken, self.deliveries = self.deliveries, []
        return taken

    def bodies(self) -> list[str]:
        """The bodies of what came since the last call."""
        return [delivery.body for delivery in self.take()]


class FakeOutput:
    """A `segue.broker.node.Output` that counts what it is asked for."""

    def __init__(self) -> None:
        self.flushed = 0
        self.let_go_times = 0
        self.closed_because: list[str] = []

    def flush_output(self) -> None:
        self.flushed += 1

    def let_go(self) -> None:
        self.let_go_times += 1

    def close(self, reason: str) -> None:
        self.closed_because.append(reason)

    def abandon(self, reason: str) -> None:
        self.closed_because.append(f"abandoned: {reason}")


class World:
    """A node over a played store, and the verbs of the tests.

    Args:
        limits: fields of `[limits]` that are not to be the defaults.
        memory: likewise of `[memory]`.
        policies: `[policies.NAME]`, by name.
    """

    def __init__(
        self, *, memory: dict[str, Any] | None = None, policies: dict[str, Policy] | None = None, **limits: Any
    ) -> None:
        defaults = Settings()
        self.settings = replace(
            defaults,
            limits=replace(defaults.limits, **limits),
            memory=replace(defaults.memory, **(memory or {})),
            policies=policies or {},
        )
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.log = RecordedLog()
        self._begin()

    def _begin(self) -> None:
        self.node = Node(self.store, self.settings, self.clock, self.log, Users(self.settings.users))

    def restart(self) -> None:
        """A new node takes up what the store has; what was out has come back."""
        self.settle_down()
        for log in self.store.logs.values():
            log.listener = None
            for cursor in log.cursors:
                cursor.returned, cursor.out, cursor.listener = cursor.holes(), [], None
                cursor.recovered()
        self._begin()
        self.settle_down()

    def session(self) -> Session:
        return self.node.open_session("guest", "127.0.0.1:1", "test", FakeOutput())

    def publish(self, queue: Queue, *bodies: str) -> None:
        """Messages that are on disk, and delivered, when this returns."""
        for body in bodies:
            queue.publish(record(body))
        self.node.store.want()
        self.settle_down()

    def settle_down(self) -> None:
        """The step ends, everything is durable and delivered."""
        self.node.end_step()
        self.store.sync_all()
        self.node.end_step()

    def give_back(self, consumer: Consumer, *seqs: int) -> None:
        """A consumer returns messages, and they are out again when this returns."""
        self.node.sessions[consumer.session_id].give_back(consumer, list(seqs))
        self.settle_down()

    def acknowledge(self, consumer: Consumer, *seqs: int) -> None:
        """A consumer is done with messages, and that is durable when this returns."""
        for seq in seqs:
            consumer.acknowledge(seq, consumer.unacknowledged.get(seq, 0))
        consumer.settle()
        self.settle_down()

    def consume(
        self, queue: Queue, *, prefetch: int = 100, settles: bool = True, session: Session | None = None, **more: Any
    ) -> tuple[FakeSink, Subscription]:
        """A new consumer that has got what there is for it."""
        sink = FakeSink()
        subscription = (session or self.session()).subscribe_queue(
            queue, sink, prefetch=prefetch, settles=settles, **more
        )
        self.settle_down()
        return sink, subscription
