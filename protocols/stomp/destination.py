"""Which queue, topic or other place the text of a `destination` header names.

Clients of every broker may come, so the default dialect reads what RabbitMQ, ActiveMQ and Artemis read; the dialect
`rabbitmq` refuses what RabbitMQ refuses, with its texts. docs/reference/stomp.md has the table. What may be called how
is decided in segue.broker.names, for all front-ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote

from segue.broker import names
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = [
    "PREFIXES",
    "UNSUPPORTED_PREFIXES",
    "Destination",
    "DestinationKind",
    "Dialect",
    "Use",
    "check_queue_name",
    "parse_destination",
    "split_list",
    "virtual_topic",
]

# In front of the name of a reply queue stands the number of the session that it belongs to.
_REPLY_NAME_BYTES_MAX: Final = names.NAME_BYTES_MAX + len("18446744073709551615-")


class DestinationKind(Enum):
    """What a destination is."""

    QUEUE = "queue"
    """A shared queue, made on first use."""
    TOPIC = "topic"
    EXISTING_QUEUE = "existing queue"
    """A queue that has to be there already."""
    TEMP_QUEUE = "temporary queue"
    """A queue of this connection, which ends with it."""
    REPLY_QUEUE = "reply queue"
    """Another connection's temporary queue, as the receiver of a `reply-to` sees it."""
    EXCHANGE = "exchange"


class Dialect(Enum):
    """Whose habits count; the values of the setting `stomp.dialect`."""

    SEGUE = "segue"
    RABBITMQ = "rabbitmq"


class Use(Enum):
    """What a client wants with a destination."""

    SEND = "SEND"
    SUBSCRIBE = "SUBSCRIBE"


@dataclass(frozen=True, slots=True)
class Destination:
    """What a `destination` header names.

    Attributes:
        kind: what it is.
        name: of the queue, topic or exchange, in NFC. A topic's words are separated by dots; as a pattern it has `*`
            for one word and `#` for any number of them.
        routing_key: of an exchange; None if none was given.
        is_pattern: a topic's name with `*` or `#` in it.
    """

    kind: DestinationKind
    name: str
    routing_key: str | None = None
    is_pattern: bool = False


# The longest first: /amq/queue/x is no queue of the unknown prefix /amq.
PREFIXES: Final = {
    "/amq/queue/": DestinationKind.EXISTING_QUEUE,
    "/queue/": DestinationKind.QUEUE,
    "/topic/": DestinationKind.TOPIC,
    "/temp-queue/": DestinationKind.TEMP_QUEUE,
    "/reply-queue/": DestinationKind.REPLY_QUEUE,
    "/exchange/": DestinationKind.EXCHANGE,
}
# ActiveMQ gives these a meaning that a queue of that name would not have.
UNSUPPORTED_PREFIXES: Final = ("/temp-topic/", "/remote-temp-queue/", "/remote-temp-topic/")
# What RabbitMQ calls them in its texts, and the list that it ends one of them with.
_RABBITMQ_KINDS: Final = {DestinationKind.EXISTING_QUEUE: "amqqueue", DestinationKind.TEMP_QUEUE: "temp-queue"}
_RABBITMQ_PREFIXES: Final = "/temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/"

_ROUTING_TYPES: Final = {"ANYCAST": DestinationKind.QUEUE, "MULTICAST": DestinationKind.TOPIC}
_LIST_MAX: Final = 64
_VIRTUAL_TOPIC: Final = re.compile(r"Consumer\.[^.]+\.(VirtualTopic(?:\.[^.]+)+)")
_ENCODED_SLASH: Final = re.compile("%2f", re.IGNORECASE)


def parse_destination(
    text: str, use: Use, *, routing_type: str | None = None, dialect: Dialect = Dialect.SEGUE
) -> Destination:
    """Read the `destination` header of a SEND or SUBSCRIBE.

    Args:
        text: the header, decoded.
        use: what for; wildcards are for SUBSCRIBE alone.
        routing_type: Artemis's header `destination-type` (SEND) or `subscription-type` (SUBSCRIBE): ANYCAST or
            MULTICAST, for a name without a prefix. Without it such a name is a queue's.
        dialect: whose habits count.

    Raises:
        StompProtocolError: INVALID_DESTINATION or UNKNOWN_DESTINATION, with the reason; NOT_SUPPORTED for what other
            brokers have and we do not; INVALID_HEADER for a bad routing type.
    """
    kind, rest = _split_prefix(text, routing_type, dialect)
    parts = _split_as_rabbitmq(text, kind, rest) if dialect is Dialect.RABBITMQ else _split(text, kind, rest)
    name = _check_name(parts[0], text, kind)
    if kind is DestinationKind.TOPIC:
        return _topic(name, text, use)
    if kind is DestinationKind.EXCHANGE:
        return Destination(kind, name, parts[1] if len(parts) > 1 else None)
    _refuse_wildcards(name, text, use)
    return Destination(kind, name)


def virtual_topic(queue: str, dialect: Dialect) -> str | None:
    """The topic behind a queue that ActiveMQ's consumers name so: `Consumer.NAME.VirtualTopic.TOPIC`; else None."""
    found = _VIRTUAL_TOPIC.fullmatch(queue) if dialect is Dialect.SEGUE else None
    return None if found is None else found[1]


def split_list(text: str, dialect: Dialect) -> list[str]:
    """Cut the destinations of a composite one apart; most have one.

    Raises:
        StompProtocolError: INVALID_DESTINATION: one of them is empty, or there are too many.
    """
    if dialect is Dialect.RABBITMQ or not names.is_list(text):
        return [text]
    parts = [part.strip(" ") for part in text.split(",")]
    if not all(parts):
        raise _invalid(text, "a destination of the list is empty")
    if len(parts) > _LIST_MAX:
        raise _invalid(text, f"a list may have {_LIST_MAX} destinations")
    return parts


def check_queue_name(name: str, dialect: Dialect = Dialect.SEGUE) -> str:
    """Return the name of a queue that a header other than `destination` gives, in NFC.

    Raises:
        StompProtocolError: INVALID_DESTINATION: no destination could name that queue.
    """
    try:
        return names.check_queue_name(name, lists=dialect is not Dialect.RABBITMQ)
    except names.InvalidNameError as failure:
        raise _invalid(name, failure.reason) from None


def _check_name(name: str, text: str, kind: DestinationKind) -> str:
    bytes_max = _REPLY_NAME_BYTES_MAX if kind is DestinationKind.REPLY_QUEUE else names.NAME_BYTES_MAX
    try:
        return names.check_name(name, bytes_max)
    except names.InvalidNameError as failure:
        raise _invalid(text, failure.reason) from None


def _split_prefix(text: str, routing_type: str | None, dialect: Dialect) -> tuple[DestinationKind, str]:
    """Return what kind of destination it is, and the rest behind the prefix."""
    wanted = _wanted_kind(routing_type)
    for prefix, kind in PREFIXES.items():
        if text.startswith(prefix) or text == prefix[:-1]:
            if wanted not in (None, kind):
                problem = f"'{quote(text)}' is not a destination of type {routing_type}"
                raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
            return kind, text[len(prefix) :]
    if dialect is Dialect.RABBITMQ:
        problem = f"'{quote(text)}' is not a valid destination.\nValid destination types are: {_RABBITMQ_PREFIXES}.\n"
        raise StompProtocolError(ErrorCode.UNKNOWN_DESTINATION, problem)
    if text.startswith(UNSUPPORTED_PREFIXES):
        raise _unsupported(text, "temporary topics and other brokers' names of temporary queues")
    return wanted or DestinationKind.QUEUE, text


def _wanted_kind(routing_type: str | None) -> DestinationKind | None:
    if routing_type is None:
        return None
    kind = _ROUTING_TYPES.get(routing_type.upper())
    if kind is None:
        problem = f"'{quote(routing_type)}' is not a routing type; there are ANYCAST and MULTICAST"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return kind


def _split(text: str, kind: DestinationKind, rest: str) -> list[str]:
    """Return the name, and behind an exchange's the routing key; slashes are a part of names."""
    if names.is_list(text):
        raise _unsupported(text, "subscriptions to composite destinations")
    if names.has_options(text):
        raise _unsupported(text, "options in a destination")
    parts = rest.split("/", 1) if kind is DestinationKind.EXCHANGE else [rest]
    return [_ENCODED_SLASH.sub("/", part) for part in parts]


def _split_as_rabbitmq(text: str, kind: DestinationKind, rest: str) -> list[str]:
    """Return the same by RabbitMQ's rules: slashes separate, and any octet may be written as %XX."""
    parts = rest.split("/")
    parts_max = 2 if kind is DestinationKind.EXCHANGE else 1
    if len(parts) > parts_max or not all(parts):
        name = _RABBITMQ_KINDS.get(kind, kind.value.replace(" ", "-"))
        problem = f"'{quote('/' + rest if rest else '')}' is not a valid {name} destination\n"
        raise StompProtocolError(ErrorCode.INVALID_DESTINATION, problem)
    return [unquote(part, errors="replace") for part in parts]


def _topic(name: str, text: str, use: Use) -> Destination:
    words = name.split(".")
    if not all(words):
        raise _invalid(text, "a topic may not begin or end with a dot")
    # ActiveMQ's ">" is RabbitMQ's "#", but at the end only.
    if words[-1] == ">":
        words[-1] = "#"
    is_pattern = not {"*", "#"}.isdisjoint(words)
    if is_pattern and use is Use.SEND:
        raise _invalid(text, "wildcards are for SUBSCRIBE")
    if any(names.is_half_a_wildcard(word) for word in words):
        raise _invalid(text, "'*' and '#' stand for whole words between dots, and '>' for all that follow")
    return Destination(DestinationKind.TOPIC, ".".join(words), is_pattern=is_pattern)


def _refuse_wildcards(name: str, text: str, use: Use) -> None:
    if names.has_wildcards(name):
        where = "topics" if use is Use.SUBSCRIBE else "topics, and for SUBSCRIBE"
        raise _invalid(text, f"wildcards are for {where}")


def _invalid(text: str, reason: str) -> StompProtocolError:
    return StompProtocolError(ErrorCode.INVALID_DESTINATION, f"'{quote(text)}' is not a valid destination: {reason}")


def _unsupported(text: str, what: str) -> StompProtocolError:
    return StompProtocolError(ErrorCode.NOT_SUPPORTED, f"'{quote(text)}': Segue does not have {what}")
