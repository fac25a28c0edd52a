"""The retained messages of a broker: the last of each topic name, in memory for who subscribes, and on disk.

Theory of operation. All of them are in one log, however many names there are, with one cursor that reads nothing. A
message that takes the place of another is appended, and the other one settled ahead of the cursor once it is on disk;
so what is owed is, of each name, the last one. To remove a name, a message without a body is appended, and settled when
the one before is: after a crash between the two it is the last of its name, and says that there is none. The log is
compacted like any other, and takes about four times the room of what is retained at most.

In memory: the records, up to `memory.retained_bytes_max`, so that a subscription is given them in the step in which it
begins, and nothing can come before them. Durable: the log. Read whole at a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from segue.broker.errors import LimitReachedError
from segue.broker.expiry import Expiry
from segue.broker.headers import Headers, with_headers
from segue.broker.message import Encoding, decode, encode, prefix
from segue.broker.retained.topic_tree import TopicTree
from segue.storage.api import READ_ERRORS, Cursor, Log, times

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.topic import TopicSubscription

__all__ = ["KIND", "RetainedMessages"]

KIND: Final = "retained"
"""Of the log."""
_NAME: Final = "retained-topic"
"""The header that a retained message has besides those of its sender."""
_BYTES_MORE: Final = 512
"""What a message takes in memory beside its record, with the words of its name in the tree, roughly."""
_READ_BYTES: Final = 1 << 20


class _Retained(NamedTuple):
    seq: int
    record: bytes


class RetainedMessages:
    """See the module. A broker that never had one has nothing in memory, on disk or to do for this.

    Attributes:
        bytes: memory that they take, roughly.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tree: TopicTree[_Retained] = TopicTree()
        self._log: Log | None = None
        self._superseded: list[int] = []
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._tree)

    # -- publishing

    def check_room(self, name: str, size: int) -> None:
        """Raises LimitReachedError when a message of so many bytes can't be retained under a name."""
        before = self._tree.get(name)
        maximum = self._node.settings.limits.retained_messages_max
        if before is None and len(self._tree) >= maximum:
            raise LimitReachedError(f"limits.retained_messages_max ({maximum}) is reached")
        bytes_max = self._node.settings.memory.retained_bytes_max
        grown = size + _BYTES_MORE - (0 if before is None else _size(before))
        if grown > 0 and self.bytes + grown > bytes_max:
            raise LimitReachedError(f"memory.retained_bytes_max ({bytes_max}) is reached")

    def retain(self, name: str, record: bytes) -> None:
        """Keep a message as the last of a topic name; one without a body removes it. Durable with the open batch."""
        message = decode(record)
        if message.body:
            kept = with_headers(message, {_NAME: name}, accepted_ms=message.accepted_ms, expires_ms=message.expires_ms)
            self._take(name, self._log_now().append(kept), kept)
        elif self._tree.get(name) is not None:
            kept = _removal(name, message.accepted_ms)
            self._take(name, self._log_now().append(kept), kept)

    # -- subscribing

    def give(self, subscription: TopicSubscription) -> None:
        """Publish to a new subscription what it matches, as far as its buffer has room."""
        messages, size = subscription.messages_max, subscription.bytes_now_max
        for record in self._wanted(subscription):
            messages -= 1
            size -= len(record)
            if messages < 0 or size < 0:
                break
            subscription.publish(record)

    def _wanted(self, subscription: TopicSubscription) -> Iterator[bytes]:
        expiry, selector = Expiry(self._node.clock, None), subscription.selector
        now_ms = expiry.now_ms()
        for _, record in self._tree.under(subscription.name):
            if expiry.deadline(record) > now_ms and (selector is None or selector.matches(Headers(record))):
                yield record

    # -- starts

    def take_up(self, log: Log) -> None:
        """This is their log; `load` has to come before anybody publishes or subscribes."""
        self._log = log
        log.listener = self._settle

    async def load(self) -> None:
        """Read what is retained from the last life. What can't be read is left where it is, and logged."""
        if self._log is None:
            return
        log, cursor = self._log, self._log.cursors[0]
        seq = cursor.next
        while seq < log.head:
            if seq >= log.ram_first:
                self._recover(cursor, seq, log.find(seq))
                seq += 1
                continue
            try:
                part = await self._node.store.reader.read_range(log, seq, log.ram_first, _READ_BYTES)
            except READ_ERRORS as error:
                self._tell(str(error))
                seq = log.ram_first
                continue
            for damage in part.damage:
                self._tell(damage.reason)
            for first, records in part.runs:
                for at, record in enumerate(records, first):
                    self._recover(cursor, at, record)
            seq = max(seq + 1, part.upto)
        self._settle()

    # -- inside

    def _recover(self, cursor: Cursor, seq: int, record: bytes | None) -> None:
        if record is None or (cursor.gaps is not None and seq in cursor.gaps):
            return
        if times(record)[1]:
            self._node.topics.note_expiring()
        self._take(Headers(record).get(_NAME) or "", seq, record)

    def _take(self, name: str, seq: int, record: bytes) -> None:
        """A record is in the log: it is the last of its name."""
        if decode(record).body:
            new = _Retained(seq, record)
            before = self._tree.put(name, new)
            self.bytes += _size(new)
        else:
            before = self._tree.remove(name)
        if before is not None:
            self._superseded.append(before.seq)
            self.bytes -= _size(before)
        if not decode(record).body:
            self._superseded.append(seq)

    def _settle(self) -> None:
        """What was superseded by something that is on disk now is done."""
        assert self._log is not None
        durable = self._log.durable
        done = sorted(seq for seq in self._superseded if seq < durable)
        if done:
            self._superseded = [seq for seq in self._superseded if seq >= durable]
            self._log.cursors[0].settle_ahead(done)

    def _log_now(self) -> Log:
        if self._log is None:
            store = self._node.store
            log = store.create_log({"kind": KIND})
            store.create_cursor(log, {"kind": KIND})
            self.take_up(log)
            return log
        return self._log

    def _tell(self, reason: str) -> None:
        self._node.log.error("storage.unreadable", queue=KIND, reason=reason)


def _size(retained: _Retained) -> int:
    return len(retained.record) + _BYTES_MORE


def _removal(name: str, now_ms: int) -> bytes:
    empty = encode(*prefix(now_ms, b"content-length:0\n\n", encoding=Encoding.STOMP), b"")
    return with_headers(decode(empty), {_NAME: name}, accepted_ms=now_ms)
