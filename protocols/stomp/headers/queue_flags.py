"""What the headers of SEND and SUBSCRIBE say of the queue, if it is made by this frame: RabbitMQ's names and ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue.protocols.stomp.destination import Dialect, check_queue_name
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.headers.values import invalid_value, read_boolean, read_first, read_number

__all__ = ["NO_QUEUE_FLAGS", "QueueFlags", "read_queue_flags"]

# A priority is an octet in AMQP.
_PRIORITY_MAX: Final = 255
_DEAD_LETTER_QUEUES: Final = ("x-dead-letter-queue", "x-dead-letter-routing-key")
_DROP_HEAD: Final = "drop-head"
_REJECT_PUBLISH: Final = "reject-publish"


@dataclass(frozen=True, slots=True)
class QueueFlags:
    """RabbitMQ's flags for a queue that is made on first use; None where the client says nothing.

    Attributes:
        durable: the queue survives a restart; on a subscription to a topic: the subscription does.
        auto_delete: the queue goes with its last consumer.
        exclusive: the queue is this connection's alone, and goes with it.
        dead_letter: the queue that takes its dead letters.
        delivery_limit: after so many deliveries a message that comes back is one.
        message_ttl_ms: how long a message may be in the queue.
        messages_max: most messages that may wait in it.
        bytes_max: most bytes of them.
        refuses: what happens then: publishers are refused, or the oldest messages go.
        expires_ms: how long it may go unused before it is deleted.
        priority_max: the highest priority of its messages, 0 for no priorities.
        deduplication_window_ms: how long the ids of messages are remembered.
        deduplication_ids_max: how many of them are.
        single_active: one consumer at a time is served.
    """

    durable: bool | None = None
    auto_delete: bool | None = None
    exclusive: bool | None = None
    dead_letter: str | None = None
    delivery_limit: int | None = None
    message_ttl_ms: int | None = None
    messages_max: int | None = None
    bytes_max: int | None = None
    refuses: bool | None = None
    expires_ms: int | None = None
    priority_max: int | None = None
    deduplication_window_ms: int | None = None
    deduplication_ids_max: int | None = None
    single_active: bool | None = None


NO_QUEUE_FLAGS: Final = QueueFlags()


def read_queue_flags(headers: Mapping[str, str], dialect: Dialect) -> QueueFlags:
    """Read them.

    Raises:
        StompProtocolError: INVALID_HEADER, MISSING_HEADER, NOT_SUPPORTED, or INVALID_DESTINATION (of dead letters).
    """
    return QueueFlags(
        read_boolean(headers, "durable"),
        read_boolean(headers, "auto-delete"),
        read_boolean(headers, "exclusive"),
        _dead_letter_queue(headers, dialect),
        read_number(headers, "x-delivery-limit", 1),
        read_number(headers, "x-message-ttl", 0),
        read_number(headers, "x-max-length", 0),
        read_number(headers, "x-max-length-bytes", 0),
        _refuses(headers),
        read_number(headers, "x-expires", 1),
        read_number(headers, "x-max-priority", 0, _PRIORITY_MAX),
        read_number(headers, "x-deduplication-window-ms", 1),
        read_number(headers, "x-deduplication-ids-max", 1),
        read_boolean(headers, "x-single-active-consumer"),
    )


def _refuses(headers: Mapping[str, str]) -> bool | None:
    text = headers.get("x-overflow")
    if text is None:
        return None
    if text not in (_DROP_HEAD, _REJECT_PUBLISH):
        raise invalid_value("x-overflow", text, f"it is {_DROP_HEAD} or {_REJECT_PUBLISH}")
    return text == _REJECT_PUBLISH


def _dead_letter_queue(headers: Mapping[str, str], dialect: Dialect) -> str | None:
    """RabbitMQ names it by an exchange and a routing key; of the exchanges we have the default one, which is ''."""
    name = read_first(headers, _DEAD_LETTER_QUEUES)
    exchange = headers.get("x-dead-letter-exchange")
    if exchange:
        problem = f"'x-dead-letter-exchange:{quote(exchange)}': there are no exchanges, but for the default one, ''"
        raise StompProtocolError(ErrorCode.NOT_SUPPORTED, problem)
    if name is None and exchange is not None:
        problem = "With 'x-dead-letter-exchange', 'x-dead-letter-routing-key' has to name the queue"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    return None if name is None else check_queue_name(name, dialect)
