"""What the headers of a client's frames ask for, read by the table in header_rules.py.

Each reader takes the decoded headers of one frame and returns what they ask for, with every default filled in, or
raises the STOMP ERROR that the client is to get.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from segue.protocols.stomp.destination import Dialect, check_queue_name
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.frames import Version, negotiate
from segue.protocols.stomp.header_rules import MEANINGFUL_ON_SEND, REPLACED_ON_SEND, refuse_unsupported
from segue.protocols.stomp.heart_beat import read_heart_beat
from segue.protocols.stomp.schedule_headers import SendSchedule, read_delay, read_schedule

__all__ = [
    "PREFETCH_DEFAULT",
    "PREFETCH_MAX",
    "AckMode",
    "AckOptions",
    "ConnectOptions",
    "DurableName",
    "QueueFlags",
    "SendOptions",
    "SubscribeOptions",
    "UnsubscribeOptions",
    "name_durable_subscription",
    "read_ack",
    "read_connect",
    "read_send",
    "read_subscribe",
    "read_unsubscribe",
    "required",
]

# RabbitMQ's default is unlimited, the first complaint of its users.
PREFETCH_DEFAULT: Final = 100
# What AMQP 0-9-1 can say.
PREFETCH_MAX: Final = 65_535

# A priority is an octet in AMQP.
_PRIORITY_MAX: Final = 255
_GROUPS: Final = ("JMSXGroupID", "_AMQ_GROUP_ID")
_RANK: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DEDUPLICATION_IDS: Final = ("dedup-id", "_AMQ_DUPL_ID")
_BOOLEANS: Final = {"true": True, "false": False}
_DEAD_LETTER_QUEUES: Final = ("x-dead-letter-queue", "x-dead-letter-routing-key")
_DROP_HEAD: Final = "drop-head"
_REJECT_PUBLISH: Final = "reject-publish"
# The names that ActiveMQ and Artemis use for the name of a durable subscription.
_DURABLE_NAMES: Final = ("activemq.subscriptionName", "durable-subscription-name", "durable-subscriber-name")
# Artemis: -1 is a consumer window without limit.
_UNLIMITED_WINDOW: Final = -1


class AckMode(Enum):
    """The `ack` header of SUBSCRIBE."""

    AUTO = "auto"
    CLIENT = "client"
    CLIENT_INDIVIDUAL = "client-individual"


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """What a CONNECT asks for.

    Attributes:
        version: the highest that both sides speak.
        host: the virtual host, or the name of a TCP host, or None: clients do as they please.
        login: the user's name.
        passcode: the password.
        heart_beat: milliseconds: what the client guarantees to send at, what it wants to receive at; 0 is "not at all".
        client_id: whose durable subscriptions are meant (ActiveMQ, Artemis).
        request_id: to be answered as `response-id` (ActiveMQ).
    """

    version: Version
    host: str | None
    login: str | None
    passcode: str | None
    heart_beat: tuple[int, int]
    client_id: str | None
    request_id: str | None


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
    queue: QueueFlags = QueueFlags()
    schedule: SendSchedule | None = None
    grouped: bool = False


@dataclass(frozen=True, slots=True)
class SubscribeOptions:
    """What a SUBSCRIBE asks for, besides its destination.

    Attributes:
        id: the subscription's; None only in 1.0.
        ack: how messages are acknowledged.
        prefetch: how many messages may be out and not acknowledged, from 1; of no meaning where nothing is
            acknowledged.
        window_bytes: how many octets of bodies may be out; None for no such limit.
        routing_type: see parse_destination.
        queue: flags for the queue, or for the subscription to a topic.
        durable_name: of a durable subscription, in the namespace of the connection's client id.
        queue_name: of the queue behind a subscription to a topic.
        browser: read without taking.
        no_local: leave out what this connection sends.
        selector: which messages are wanted, as the client wrote it; empty for all.
        rank: of the consumer; the higher ones of a queue are served first.
        alone: others of a queue are not served while it is there.
    """

    id: str | None
    ack: AckMode
    prefetch: int
    window_bytes: int | None
    routing_type: str | None
    queue: QueueFlags
    durable_name: str | None
    queue_name: str | None
    browser: bool
    no_local: bool
    selector: str
    rank: int = 0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class UnsubscribeOptions:
    """What an UNSUBSCRIBE ends.

    Attributes:
        id: the subscription's.
        destination: the subscription's, in 1.0, where it has no id.
        durable: delete the durable subscription as well.
        durable_name: the durable subscription to delete, of this name; the client need not be subscribed.
    """

    id: str | None
    destination: str | None
    durable: bool
    durable_name: str | None


@dataclass(frozen=True, slots=True)
class AckOptions:
    """Which message an ACK or NACK is about: in 1.2 by `ack_id`, before that by `message_id`.

    Attributes:
        ack_id: the `ack` header of the MESSAGE.
        message_id: its `message-id` header.
        subscription: of the MESSAGE; None only in 1.0.
        transaction: the transaction that it belongs to.
        requeue: of a NACK: the message returns to its place; else it is dead-lettered or discarded.
        delay_ms: of a NACK: it comes again so much later; 0 for at once, None for as the queue says.
    """

    ack_id: str | None
    message_id: str | None
    subscription: str | None
    transaction: str | None
    requeue: bool
    delay_ms: int | None = None


@dataclass(frozen=True, slots=True)
class DurableName:
    """What a durable subscription to a topic is known by.

    Attributes:
        client_id: whose it is (ActiveMQ, Artemis: client id and name); None where the topic is part of the name.
        topic: the topic or pattern (RabbitMQ: destination and id); None where the client id is part of the name.
        name: the subscription's name or id.
    """

    client_id: str | None
    topic: str | None
    name: str


def read_connect(headers: Mapping[str, str]) -> ConnectOptions:
    """Read a CONNECT or STOMP frame.

    Raises:
        StompProtocolError: VERSION_MISMATCH or BAD_HEART_BEAT.
    """
    return ConnectOptions(
        version=negotiate(headers.get("accept-version")),
        host=headers.get("host"),
        login=headers.get("login"),
        passcode=headers.get("passcode"),
        heart_beat=read_heart_beat(headers.get("heart-beat")),
        client_id=headers.get("client-id"),
        request_id=headers.get("request-id"),
    )


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
    persistent = _boolean(headers, "persistent")
    producer, number = _producer(headers)
    return SendOptions(
        persistent=persistent is not False,
        routing_type=headers.get("destination-type"),
        reply_to=headers.get("reply-to"),
        deduplication_id=_first(headers, _DEDUPLICATION_IDS),
        producer_name=producer,
        sequence_id=number,
        expires_ms=_number(headers, "expires", 0) or 0,
        lives_ms=_number(headers, "expiration", 0),
        priority=_number(headers, "priority", 0),
        retain=bool(_boolean(headers, "retain")),
        queue=_queue_flags(headers, dialect),
        schedule=read_schedule(headers),
        grouped=bool(_first(headers, _GROUPS)),
    )


def read_subscribe(
    headers: Mapping[str, str],
    version: Version,
    *,
    dialect: Dialect = Dialect.SEGUE,
    prefetch_default: int = PREFETCH_DEFAULT,
    prefetch_max: int = PREFETCH_MAX,
) -> SubscribeOptions:
    """Read a SUBSCRIBE frame.

    Args:
        headers: decoded.
        version: decides whether `id` is required.
        dialect: decides what a queue may be called.
        prefetch_default: for a client that asks for none.
        prefetch_max: the most that one may ask for; who asks for more, or for no limit, gets this.

    Raises:
        StompProtocolError: MISSING_HEADER, INVALID_HEADER, INVALID_DESTINATION (the name of a queue) or NOT_SUPPORTED.
    """
    refuse_unsupported(headers, "SUBSCRIBE")
    queue_name = headers.get("x-queue-name")
    prefetch, window_bytes = _credit(headers, prefetch_default, prefetch_max)
    return SubscribeOptions(
        id=headers.get("id") if version is Version.V1_0 else required(headers, "id", "SUBSCRIBE"),
        ack=_ack_mode(headers),
        prefetch=prefetch,
        window_bytes=window_bytes,
        routing_type=headers.get("subscription-type"),
        queue=_queue_flags(headers, dialect),
        durable_name=_first(headers, _DURABLE_NAMES),
        queue_name=None if queue_name is None else check_queue_name(queue_name, dialect),
        browser=bool(_boolean(headers, "browser")),
        no_local=bool(_boolean(headers, "no-local") or _boolean(headers, "activemq.noLocal")),
        selector=headers.get("selector", "").strip(),
        rank=_rank(headers),
        alone=bool(_boolean(headers, "activemq.exclusive")),
    )


def read_unsubscribe(headers: Mapping[str, str], version: Version) -> UnsubscribeOptions:
    """Read an UNSUBSCRIBE frame.

    Raises:
        StompProtocolError: MISSING_HEADER or INVALID_HEADER.
    """
    options = UnsubscribeOptions(
        id=headers.get("id"),
        destination=headers.get("destination"),
        durable=bool(_boolean(headers, "durable")),
        durable_name=_first(headers, _DURABLE_NAMES),
    )
    if options.id is not None or options.durable_name is not None:
        return options
    if version is not Version.V1_0:
        required(headers, "id", "UNSUBSCRIBE")
    if options.destination is None:
        problem = "UNSUBSCRIBE must include a 'destination' or 'id' header"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    return options


def read_ack(headers: Mapping[str, str], version: Version, command: str) -> AckOptions:
    """Read an ACK or NACK frame.

    Args:
        headers: decoded.
        version: decides which headers name the message.
        command: ACK or NACK.

    Raises:
        StompProtocolError: MISSING_HEADER or INVALID_HEADER.
    """
    is_latest = version is Version.V1_2
    return AckOptions(
        ack_id=required(headers, "id", command) if is_latest else None,
        message_id=None if is_latest else required(headers, "message-id", command),
        subscription=(required if version is Version.V1_1 else _optional)(headers, "subscription", command),
        transaction=headers.get("transaction"),
        requeue=_boolean(headers, "requeue") is not False,
        delay_ms=read_delay(headers) if command == "NACK" else None,
    )


def name_durable_subscription(options: SubscribeOptions, topic: str, client_id: str | None) -> DurableName | None:
    """Return what the subscription to a topic is known by, if it is to outlive its connection.

    Args:
        options: of the SUBSCRIBE.
        topic: the topic or pattern.
        client_id: of the CONNECT.

    Raises:
        StompProtocolError: MISSING_HEADER: it is to be durable, but a part of its name is not there.
    """
    if options.durable_name is not None:
        if client_id is None:
            problem = "A durable subscription needs a 'client-id' header on CONNECT"
            raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
        return DurableName(client_id, None, options.durable_name)
    # With auto-delete it would go when its consumer goes, so it is an ordinary one.
    if not options.queue.durable or options.queue.auto_delete:
        return None
    if options.id is None:
        problem = "Header 'id' is required for durable subscriptions"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    return DurableName(None, topic, options.id)


def required(headers: Mapping[str, str], name: str, command: str) -> str:
    """Return a header that the command can't do without.

    Raises:
        StompProtocolError: MISSING_HEADER.
    """
    value = headers.get(name)
    if value is None:
        raise StompProtocolError(ErrorCode.MISSING_HEADER, f'"{command}" must include the "{name}" header')
    return value


_PLAIN_SEND: Final = SendOptions()


def _optional(headers: Mapping[str, str], name: str, _command: str) -> str | None:
    return headers.get(name)


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((headers[name] for name in names if name in headers), None)


def _boolean(headers: Mapping[str, str], name: str) -> bool | None:
    text = headers.get(name)
    if text is None:
        return None
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise _invalid(name, text, "it is true or false")
    return value


def _number(headers: Mapping[str, str], name: str, minimum: int, maximum: int | None = None) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) < minimum or (maximum is not None and int(text) > maximum):
        up_to = "" if maximum is None else f" to {maximum}"
        raise _invalid(name, text, f"it is a number from {minimum}{up_to}")
    return int(text)


def _producer(headers: Mapping[str, str]) -> tuple[str | None, int]:
    """Return who numbers his messages, and the number of this one."""
    number, producer = _number(headers, "sequence-id", 0), headers.get("producer-name")
    if (number is None) != (producer is None):
        problem = "'producer-name' and 'sequence-id' belong together"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    if producer is not None and _first(headers, _DEDUPLICATION_IDS) is not None:
        problem = "A message has a deduplication id or a 'sequence-id', not both"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return producer, number or 0


def _rank(headers: Mapping[str, str]) -> int:
    """ActiveMQ has 0 to 127, RabbitMQ any 32-bit number, 0 being that of who asks for none."""
    for name in ("x-priority", "activemq.priority"):
        text = headers.get(name)
        if text is not None:
            if not _RANK.fullmatch(text):
                raise _invalid(name, text, "it is a number of at most nine digits")
            return int(text)
    return 0


def _queue_flags(headers: Mapping[str, str], dialect: Dialect) -> QueueFlags:
    return QueueFlags(
        _boolean(headers, "durable"),
        _boolean(headers, "auto-delete"),
        _boolean(headers, "exclusive"),
        _dead_letter_queue(headers, dialect),
        _number(headers, "x-delivery-limit", 1),
        _number(headers, "x-message-ttl", 0),
        _number(headers, "x-max-length", 0),
        _number(headers, "x-max-length-bytes", 0),
        _refuses(headers),
        _number(headers, "x-expires", 1),
        _number(headers, "x-max-priority", 0, _PRIORITY_MAX),
        _number(headers, "x-deduplication-window-ms", 1),
        _number(headers, "x-deduplication-ids-max", 1),
        _boolean(headers, "x-single-active-consumer"),
    )


def _refuses(headers: Mapping[str, str]) -> bool | None:
    text = headers.get("x-overflow")
    if text is None:
        return None
    if text not in (_DROP_HEAD, _REJECT_PUBLISH):
        raise _invalid("x-overflow", text, f"it is {_DROP_HEAD} or {_REJECT_PUBLISH}")
    return text == _REJECT_PUBLISH


def _dead_letter_queue(headers: Mapping[str, str], dialect: Dialect) -> str | None:
    """RabbitMQ names it by an exchange and a routing key; of the exchanges we have the default one, which is ''."""
    name = _first(headers, _DEAD_LETTER_QUEUES)
    exchange = headers.get("x-dead-letter-exchange")
    if exchange:
        problem = f"'x-dead-letter-exchange:{quote(exchange)}': there are no exchanges, but for the default one, ''"
        raise StompProtocolError(ErrorCode.NOT_SUPPORTED, problem)
    if name is None and exchange is not None:
        problem = "With 'x-dead-letter-exchange', 'x-dead-letter-routing-key' has to name the queue"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    return None if name is None else check_queue_name(name, dialect)


def _ack_mode(headers: Mapping[str, str]) -> AckMode:
    text = headers.get("ack", AckMode.AUTO.value)
    try:
        return AckMode(text)
    except ValueError:
        raise _invalid("ack", text, "it is auto, client or client-individual") from None


def _credit(headers: Mapping[str, str], prefetch_default: int, prefetch_max: int) -> tuple[int, int | None]:
    """Return how many messages, and how many octets or None, may be out.

    0 means something else to each: no limit in RabbitMQ, "on request" in ActiveMQ and one at a time in Artemis. STOMP
    has no word for a request, so that ActiveMQ's is read as one at a time.
    """
    window = _number(headers, "consumer-window-size", _UNLIMITED_WINDOW)
    prefetch = _number(headers, "prefetch-count", 0)
    if prefetch == 0:
        prefetch = prefetch_max
    if prefetch is None:
        prefetch = _number(headers, "activemq.prefetchSize", 0)
        if prefetch == 0 or (prefetch is None and window == 0):
            prefetch = 1
    if prefetch is None:
        prefetch = prefetch_default
    return min(prefetch, prefetch_max), window if window is not None and window > 0 else None


def _refuse_replaced(headers: Mapping[str, str]) -> None:
    for name in REPLACED_ON_SEND:
        if name in headers:
            raise StompProtocolError(ErrorCode.INVALID_HEADER, f"'{name}' is not allowed on 'SEND'.\n")


def _invalid(name: str, text: str, reason: str) -> StompProtocolError:
    return StompProtocolError(ErrorCode.INVALID_HEADER, f"'{quote(text)}' is no value for '{name}': {reason}")
