"""What the headers of SUBSCRIBE ask for, and what a durable subscription is known by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from segue.protocols.stomp.destination import Dialect, check_queue_name
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.header_rules import refuse_unsupported
from segue.protocols.stomp.headers.queue_flags import QueueFlags, read_queue_flags
from segue.protocols.stomp.headers.values import invalid_value, read_boolean, read_first, read_number, required

__all__ = [
    "PREFETCH_DEFAULT",
    "PREFETCH_MAX",
    "AckMode",
    "DurableName",
    "SubscribeOptions",
    "UnsubscribeOptions",
    "name_durable_subscription",
    "read_subscribe",
    "read_unsubscribe",
]

# RabbitMQ's default is unlimited, the first complaint of its users.
PREFETCH_DEFAULT: Final = 100
# What AMQP 0-9-1 can say.
PREFETCH_MAX: Final = 65_535

_RANK: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
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
        queue=read_queue_flags(headers, dialect),
        durable_name=read_first(headers, _DURABLE_NAMES),
        queue_name=None if queue_name is None else check_queue_name(queue_name, dialect),
        browser=bool(read_boolean(headers, "browser")),
        no_local=bool(read_boolean(headers, "no-local") or read_boolean(headers, "activemq.noLocal")),
        selector=headers.get("selector", "").strip(),
        rank=_rank(headers),
        alone=bool(read_boolean(headers, "activemq.exclusive")),
    )


def read_unsubscribe(headers: Mapping[str, str], version: Version) -> UnsubscribeOptions:
    """Read an UNSUBSCRIBE frame.

    Raises:
        StompProtocolError: MISSING_HEADER or INVALID_HEADER.
    """
    options = UnsubscribeOptions(
        id=headers.get("id"),
        destination=headers.get("destination"),
        durable=bool(read_boolean(headers, "durable")),
        durable_name=read_first(headers, _DURABLE_NAMES),
    )
    if options.id is not None or options.durable_name is not None:
        return options
    if version is not Version.V1_0:
        required(headers, "id", "UNSUBSCRIBE")
    if options.destination is None:
        problem = "UNSUBSCRIBE must include a 'destination' or 'id' header"
        raise StompProtocolError(ErrorCode.MISSING_HEADER, problem)
    return options


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


def _ack_mode(headers: Mapping[str, str]) -> AckMode:
    text = headers.get("ack", AckMode.AUTO.value)
    try:
        return AckMode(text)
    except ValueError:
        raise invalid_value("ack", text, "it is auto, client or client-individual") from None


def _credit(headers: Mapping[str, str], prefetch_default: int, prefetch_max: int) -> tuple[int, int | None]:
    """Return how many messages, and how many octets or None, may be out.

    0 means something else to each: no limit in RabbitMQ, "on request" in ActiveMQ and one at a time in Artemis. STOMP
    has no word for a request, so that ActiveMQ's is read as one at a time.
    """
    window = read_number(headers, "consumer-window-size", _UNLIMITED_WINDOW)
    prefetch = read_number(headers, "prefetch-count", 0)
    if prefetch == 0:
        prefetch = prefetch_max
    if prefetch is None:
        prefetch = read_number(headers, "activemq.prefetchSize", 0)
        if prefetch == 0 or (prefetch is None and window == 0):
            prefetch = 1
    if prefetch is None:
        prefetch = prefetch_default
    return min(prefetch, prefetch_max), window if window is not None and window > 0 else None


def _rank(headers: Mapping[str, str]) -> int:
    """ActiveMQ has 0 to 127, RabbitMQ any 32-bit number, 0 being that of who asks for none."""
    for name in ("x-priority", "activemq.priority"):
        text = headers.get(name)
        if text is not None:
            if not _RANK.fullmatch(text):
                raise invalid_value(name, text, "it is a number of at most nine digits")
            return int(text)
    return 0
