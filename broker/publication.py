"""Publishing for who has no session: the messages of one request, accepted in one step, all of them or none.

A connection publishes message by message, and is told of each. Who asks by a request wants one answer: so everything
that may be refused is looked at first, and then nothing is. What they ask for beyond that, such as a delay or an id
against repeats, is what clients of STOMP can ask for, and ends in records of the same octets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from segue.broker.deduplication import DeduplicationId
from segue.broker.headers import header_block
from segue.broker.message import PERSISTENT, encode, prefix
from segue.broker.message_headers import HeaderLines
from segue.broker.queue import Queue
from segue.broker.schedule.delayed import Delayed, When
from segue.broker.schedule.once import remember_later
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.broker.topic import Topic

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Accepted", "NewMessage", "message_id", "publish_to_queue", "publish_to_topic"]


class NewMessage(NamedTuple):
    """A message as it was asked for.

    Attributes:
        headers: names and values as consumers are to see them, the destination first.
        body: octets.
        persistent: it is to survive a crash.
        ttl_ms: how long it may live from when it can be had; 0 for ever.
        when: it is to be delivered later; None for now.
        dedup_id: what makes a message a repeat; empty for a new one.
        marked: it has a deadline or a group: its queue has to know before it comes.
    """

    headers: HeaderLines
    body: bytes
    persistent: bool = True
    ttl_ms: int = 0
    when: When | None = None
    dedup_id: str = ""
    marked: bool = False


class Accepted(NamedTuple):
    """What became of a message.

    Attributes:
        seq: its number in its queue; 0 where it has none yet, or it is not known any more.
        schedule_id: what it is called as long as it waits for its time; empty where it does not.
        repeat: it was accepted before, and nothing was added.
    """

    seq: int = 0
    schedule_id: str = ""
    repeat: bool = False


def message_id(queue: Queue, seq: int) -> str:
    """What a message of a durable queue is called by every front-end."""
    return f"{queue.log.id}-{seq}"


def publish_to_queue(node: Node, name: str, messages: Sequence[NewMessage]) -> list[Accepted]:
    """Accept messages for a queue, which is made if there is none. Durable with the open batch.

    Raises:
        LimitReachedError: the queue is full, or a limit of the broker is reached; nothing was accepted.
        PendingError: it has to be read first whether one is a repeat; nothing was accepted.
    """
    queue = node.queue(name)
    encoder = _Encoder(node)
    if all(message.when is None and not message.dedup_id for message in messages):
        return _publish_plain(queue, [(message, encoder.encode(message)) for message in messages])
    later: dict[When | None, Delayed] = {
        one.when: Delayed(node, name, [queue], one.when) for one in messages if one.when is not None
    }
    sendings = [_Sending(queue, message, later.get(message.when), encoder) for message in messages]
    # A repeat needs no room; one of a message that stands before it is not known yet, and would have some.
    new = [one for one in sendings if one.repeated() is None]
    if any(one.identity is not None for one in new):
        node.deduplication.check_room()
    sizes = [len(one.record) for one in new if one.later is None]
    queue.check_room(len(sizes), sum(sizes))
    return [one.accept() for one in sendings]


def publish_to_topic(node: Node, name: str, messages: Sequence[NewMessage]) -> list[Accepted]:
    """Give messages to every subscription that matches. Durable with the open batch.

    Topics remember nothing, and so know no repeats: `dedup_id` is passed over.
    """
    topic = node.topic(name)
    encoder = _Encoder(node)
    accepted = []
    for message in messages:
        if message.when is None:
            record = encoder.encode(message)
            _note(topic, message, record)
            topic.publish(record)
            accepted.append(Accepted())
        else:
            target = Delayed(node, name, [topic], message.when)
            record = encoder.encode(message, target)
            accepted.append(Accepted(schedule_id=str(_put_off(target, message, record))))
    return accepted


def _publish_plain(queue: Queue, messages: Sequence[tuple[NewMessage, bytes]]) -> list[Accepted]:
    """Those that are neither for later nor may be repeats: most requests have no others."""
    records = [record for _, record in messages]
    queue.check_room(len(records), sum(map(len, records)))
    for message, record in messages:
        _note(queue, message, record)
    return list(map(Accepted, queue.publish_all(records)))


class _Encoder:
    """Makes records of one step: what messages with the same headers have in common is made once."""

    def __init__(self, node: Node) -> None:
        self._now_ms = node.clock.now_ms()
        self._prefixes: dict[tuple[HeaderLines, int, bool, int, int], tuple[bytes, int]] = {}

    def encode(self, message: NewMessage, later: Delayed | None = None) -> bytes:
        """The record of a message that can be had now, or when `later` says."""
        visible_ms = self._now_ms if later is None else later.due_ms(self._now_ms)
        expires_ms = visible_ms + message.ttl_ms if message.ttl_ms else 0
        headers, body, persistent, *_ = message
        kind = headers, len(body), persistent, visible_ms, expires_ms
        common = self._prefixes.get(kind)
        if common is None:
            flags = PERSISTENT if persistent else 0
            common = self._prefixes[kind] = prefix(visible_ms, header_block(headers, len(body)), flags, expires_ms)
        return encode(*common, body)


class _Sending:
    """A message for a queue that is for later, or may be a repeat, or stands among such.

    Attributes:
        identity: what makes it a repeat; None for a new one.
        later: where it waits for its time; None for now.
        record: it, encoded.
    """

    __slots__ = ("_message", "_queue", "identity", "later", "record")

    def __init__(self, queue: Queue, message: NewMessage, later: Delayed | None, encoder: _Encoder) -> None:
        self._queue = queue
        self._message = message
        self.identity = DeduplicationId(message.dedup_id) if message.dedup_id else None
        self.later = later
        self.record = encoder.encode(message, later)

    def repeated(self) -> Accepted | None:
        """What became of the first one, if this is a repeat. Raises PendingError: that has to be read."""
        found = None if self.identity is None else (self.later or self._queue).recall(self.identity)
        return None if found is None else Accepted(found.seq, found.schedule_id, repeat=True)

    def accept(self) -> Accepted:
        """Publish it, unless it is a repeat. There is room for it: to refuse it now would be in the midst of others."""
        if (repeated := self.repeated()) is not None:
            return repeated
        queue, message, record = self._queue, self._message, self.record
        if self.later is None:
            _note(queue, message, record)
            seq = queue.publish(record)
            if self.identity is not None:
                queue.remember(self.identity, seq)
            return Accepted(seq)
        name = _put_off(self.later, message, record)
        if self.identity is not None:
            remember_later(queue, self.identity, name)
        return Accepted(schedule_id=str(name))


def _put_off(later: Delayed, message: NewMessage, record: bytes) -> ScheduleId:
    """A message waits for its time. Returns what it is called meanwhile."""
    _note(later, message, record)
    slot = later.slot()
    return slot.identity(slot.accept(record))


def _note(target: Queue | Topic | Delayed, message: NewMessage, record: bytes) -> None:
    if message.marked:
        target.note(record)
