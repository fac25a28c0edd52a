"""What the headers of SEND ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue.protocols.stomp.destination import Dialect
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.header_rules import MEANINGFUL_ON_SEND, REPLACED_ON_SEND, refuse_unsupported
from segue.protocols.stomp.headers.queue_flags import NO_QUEUE_FLAGS, QueueFlags, read_queue_flags
from segue.protocols.stomp.headers.schedule import SendSchedule, read_schedule
from segue.protocols.stomp.headers.values import read_boolean, read_first, read_number

__all__ = ["SendOptions", "read_send"]

_GROUPS: Final = ("JMSXGroupID", "_AMQ_GROUP_ID")
_DEDUPLICATION_IDS: Final = ("dedup-id", "_AMQ_DUPL_ID")


@dataclass(frozen=True, slots=True)
class SendOptions:
    """What a SEND asks for, besides its destination.

    Attributes:
        persistent: the message is to survive a crash.
        routing_type: see parse_destination.
        reply_to: where the answer is wanted, as the client wrote it.
        deduplication_id: of messages with the same id only the first is stored.
        producer_name: who numbers his messages, rising; None where nobody does.
        sequence_id: his number of this one; 0 only asks for the last.
        expires_ms: when the message expires, milliseconds since 1970, 0 for never.
        lives_ms: likewise, how long after its acceptance; None for no such limit.
        priority: what the message says; None for nothing.
        retain: the message is kept for who subscribes to its topic later.
        queue: flags for the queue, if this message makes it.
        schedule: when it is to be delivered; None for now.
        grouped: it belongs to a group.
    """

    persistent: bool = True
    routing_type: str | None = None
    reply_to: str | None = None
    deduplication_id: str | None = None
    producer_name: str | None = None
    sequence_id: int = 0
    expires_ms: int = 0
    lives_ms: int | None = None
    priority: int | None = None
    retain: bool = False
    queue: QueueFlags = NO_QUEUE_FLAGS
    schedule: SendSchedule | None = None
    grouped: bool = False


_PLAIN_SEND: Final = SendOptions()


def read_send(headers: Mapping[str, str], dialect: Dialect = Dialect.SEGUE) -> SendOptions:
    """Read a SEND frame.

    Raises:
        StompProtocolError: NOT_SUPPORTED, INVALID_HEADER, or INVALID_DESTINATION (the name of a queue).
    """
    if MEANINGFUL_ON_SEND.isdisjoint(headers):
        return _PLAIN_SEND
    if dialect is Dialect.RABBITMQ:
        _refuse_replaced(headers)
    refuse_unsupported(headers, "SEND")
    persistent = read_boolean(headers, "persistent")
    producer, number = _producer(headers)
    return SendOptions(
        persistent=persistent is not False,
        routing_type=headers.get("destination-type"),
        reply_to=headers.get("reply-to"),
        deduplication_id=read_first(headers, _DEDUPLICATION_IDS),
        producer_name=producer,
        sequence_id=number,
        expires_ms=read_number(headers, "expires", 0) or 0,
        lives_ms=read_number(headers, "expiration", 0),
        priority=read_number(headers, "priority", 0),
        retain=bool(read_boolean(headers, "retain")),
        queue=read_queue_flags(headers, dialect),
        schedule=read_schedule(headers),
        grouped=bool(read_first(headers, _GROUPS)),
    )


def _producer(headers: Mapping[str, str]) -> tuple[str | None, int]:
    """Return who numbers his messages, and the number of this one."""
    number, producer = read_number(headers, "sequence-id", 0), headers.get("producer-name")
    if (number is None) != (producer is None):
        problem = "'producer-name' and 'sequence-id' belong together"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    if producer is not None and read_first(headers, _DEDUPLICATION_IDS) is not None:
        problem = "A message has a deduplication id or a 'sequence-id', not both"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return producer, number or 0


def _refuse_replaced(headers: Mapping[str, str]) -> None:
    for name in REPLACED_ON_SEND:
        if name in headers:
            raise StompProtocolError(ErrorCode.INVALID_HEADER, f"'{name}' is not allowed on 'SEND'.\n")
