"""A STOMP subscription: turns deliveries into MESSAGE frames, and ack ids back into messages.

The ack id is `<number of the subscription>-<sequence number>`, and from the second delivery on `.<delivery>` behind it;
no two subscriptions ever have the same number. The message id is `<log>-<sequence number>`. Both can be read back
without a table, so a delivery costs one formatting and one dict entry, which its acknowledgement removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from segue.broker.message import HEADERS_AT
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import MessageHead, Version, encode_block, recode_block, recode_payload
from segue.protocols.stomp.headers import AckMode

if TYPE_CHECKING:
    from segue.broker.session import Subscription
    from segue.protocols.stomp.session import StompSession

__all__ = ["StompSubscription", "message_prefix", "read_delivery"]

_DIGITS_MAX: Final = 20
"""A sequence number has fewer; to read longer numbers takes quadratic time, and at 4,300 digits Python refuses."""
_ACK_ID_BYTES_MAX: Final = 2 * _DIGITS_MAX
"""Two numbers and a dot."""

_LARGE_BYTES: Final = 32 << 10
"""From this size on it takes less to join than to format: that moves a payload again and again as the result grows, and
takes 28 ms for 16 MiB, in which nobody else is served."""
_PAYLOAD: Final = b"%b\0"
"""What a template ends with."""
_SEQ: Final = b"\x00"
"""Stands for the sequence number while a template is made; no octet of a head."""


class StompSubscription:
    """A `segue.broker.consumer.Sink`.

    Attributes:
        number: bytes before the `-` in its ack ids.
        bound_queue: the queue behind a topic subscription that has one of its own name.
        browses: it only looks: whatever its client acknowledges changes nothing.
        of_node: the subscription in the node's session; None once it has ended.
    """

    __slots__ = (
        "_first", "_head", "_maybe", "_message_prefix", "_session", "_two", "_version", "bound_queue", "browses",
        "destination", "id", "mode", "number", "of_node",
    )  # fmt: skip

    def __init__(self, session: StompSession, number: int, sub_id: str | None, destination: str, mode: AckMode) -> None:
        self._session = session
        self.number = b"%d" % number
        self.id = sub_id
        self.destination = destination
        self.mode = mode
        version = session.version
        self._version = version
        self._two = version is Version.V1_2 and mode is not AckMode.AUTO
        self._head = MessageHead(version, sub_id, mode is not AckMode.AUTO)
        self.bound_queue = ""
        self.browses = False
        self.of_node: Subscription | None = None

    def number_messages(self, log_id: int) -> None:
        """Fix the ids of its messages, see `message_prefix`."""
        prefix = message_prefix(log_id, self._session.frontend.epoch)
        self._message_prefix = prefix
        ids = prefix + _SEQ, self.number + b"-" + _SEQ
        self._first = _template(self._head.encode(*ids, 1, False))
        self._maybe = _template(self._head.encode(*ids, 1, True))

    @property
    def message_prefix(self) -> str:
        """What its message ids begin with."""
        return self._message_prefix.decode()

    def acknowledge(self, text: bytes) -> None:
        """An ACK whose ack id goes on with `text` behind the subscription's number.

        Raises:
            StompProtocolError: there is no such message, or this delivery of it is over.
            NotHeldError: likewise.
        """
        seq, delivery = read_delivery(text)
        assert self.of_node is not None
        consumer = self.of_node.consumer
        if self.mode is AckMode.CLIENT:
            consumer.acknowledge_all(consumer.up_to(seq, delivery))
        elif self.mode is AckMode.CLIENT_INDIVIDUAL:
            consumer.acknowledge(seq, delivery)

    def holds(self, message_id: str) -> bool:
        """True when this message is out with it, or could have been where nothing is ever out for long."""
        prefix, dash, seq = message_id.rpartition("-")
        if prefix + dash != self.message_prefix:
            return False
        if not self.settles:
            return True
        return _is_number(seq) and self.of_node is not None and int(seq) in self.of_node.consumer.unacknowledged

    @property
    def settles(self) -> bool:
        """True when the client acknowledges, and that means something."""
        return self.mode is not AckMode.AUTO and not self.browses

    @property
    def blocked(self) -> bool:
        """See `Sink`."""
        return self._session.blocked

    def deliver(self, seqs: Sequence[int], records: list[bytes], redelivered: bool) -> None:
        """See `Sink`."""
        template = self._maybe if redelivered else self._first
        at = HEADERS_AT
        version = self._version
        numbered = zip(seqs, records, strict=True)
        if len(records[0]) >= _LARGE_BYTES:
            frames = [self._joined_frame(template, seq, record) for seq, record in numbered]
        # One formatting a message does it all: head, numbers, payload, NUL.
        elif self._two:
            frames = [template % (seq, seq, record[at:]) for seq, record in numbered]
        elif version is Version.V1_2:
            frames = [template % (seq, record[at:]) for seq, record in numbered]
        else:
            frames = [template % (seq, recode_payload(record[at:], version)) for seq, record in numbered]
        self._session.put_frames(frames)
        if not self.settles:
            self._session.sent_unasked(self, len(frames))

    def deliver_again(self, seq: int, record: bytes, deliveries: int) -> None:
        """See `Sink`."""
        ack_id = b"%b-%d.%d" % (self.number, seq, deliveries)
        start = self._head.encode(self._message_prefix + b"%d" % seq, ack_id, deliveries, True)
        self._session.put_frames([b"".join((start, self._payload(record), b"\0"))])
        if not self.settles:
            self._session.sent_unasked(self, 1)

    def frame(self, seq: int, record: bytes) -> bytes:
        """A MESSAGE that is only looked at."""
        if len(record) >= _LARGE_BYTES:
            return self._joined_frame(self._first, seq, record)
        payload = recode_payload(record[HEADERS_AT:], self._version)
        return self._first % ((seq, seq, payload) if self._two else (seq, payload))

    def _joined_frame(self, template: bytes, seq: int, record: bytes) -> bytes:
        head = template[: -len(_PAYLOAD)] % ((seq, seq) if self._two else (seq,))
        return b"".join((head, self._payload(record), b"\0"))

    def _payload(self, record: bytes) -> bytes | memoryview:
        if self._version is Version.V1_2:
            return memoryview(record)[HEADERS_AT:]
        return recode_payload(record[HEADERS_AT:], self._version)

    def end_of_browse(self) -> bytes:
        """The MESSAGE that ends a browse: no body, and a header that says so (ActiveMQ)."""
        head = self._head.encode(self._message_prefix + b"end", self.number + b"-end", 1, False)
        destination = encode_block([("destination", self.destination)])
        return head + recode_block(destination, self._version) + b"browser:end\ncontent-length:0\n\n\0"

    def cancelled(self, reason: str) -> None:
        """See `Sink`."""
        self._session.subscription_cancelled(self, reason)

    def failed(self, error: Exception) -> None:
        """See `Sink`."""
        session = self._session
        session.frontend.log.crash("internal.error", error, peer=session.connection.peer)
        session.fail(StompProtocolError(ErrorCode.INTERNAL_ERROR, "A message could not be written"))


def message_prefix(log_id: int, epoch: int) -> bytes:
    """What stands before the sequence number in the ids of a log's messages.

    A negative `log_id` means a log in memory: the next process has another one of that id, so the epoch of this one
    stands in front of it.
    """
    return b"%d-" % log_id if log_id > 0 else b"%d-%d-" % (epoch, -log_id)


def read_delivery(text: bytes) -> tuple[int, int]:
    """The sequence number and which delivery of it, from the end of an ack id: `12`, or `12.3` for the third one.

    Raises:
        StompProtocolError: it is no ack id of ours.
    """
    seq, dot, delivery = text.partition(b".")
    if len(text) > _ACK_ID_BYTES_MAX or not seq.isdigit() or (dot and not delivery.isdigit()):
        raise StompProtocolError(ErrorCode.UNKNOWN_ACK, "No such message is out on this connection")
    return int(seq), int(delivery) if dot else 1


def _is_number(text: str) -> bool:
    """True for what can be a sequence number."""
    return text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX


def _template(head: bytes) -> bytes:
    return head.replace(b"%", b"%%").replace(_SEQ, b"%d") + _PAYLOAD
