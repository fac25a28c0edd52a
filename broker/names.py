"""Names: what a queue, a topic or an exchange may be called. The one place for settings and all front-ends; no I/O.

Whatever is made by one door has to be reached by the others, so none decides this for itself. Names are compared after
Unicode normalisation (NFC), so that two spellings that look the same are one queue. What can't be seen (control
characters, format characters such as those that turn the direction of writing) is not allowed in them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = [
    "NAME_BYTES_MAX",
    "InvalidNameError",
    "check_name",
    "check_queue_name",
    "check_topic_name",
    "check_visible",
    "has_options",
    "has_wildcards",
    "is_half_a_wildcard",
    "is_list",
    "normal",
]

# AMQP 0-9-1 writes names as short strings of at most 255 octets, and every queue is to be reachable from there.
NAME_BYTES_MAX: Final = 255

_WILDCARDS: Final = frozenset("*#>")
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# ActiveMQ's options at the end of a destination: "/queue/a?consumer.prefetchSize=1".
_has_options: Final = re.compile(r"\?(?:consumer|producer|destination|jms)\.").search


class InvalidNameError(ValueError):
    """Nothing may be called so.

    Attributes:
        reason: why, in words for whoever wants the name; the name is not in it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def normal(name: str) -> str:
    """The form of a name in which it is compared."""
    return unicodedata.normalize("NFC", name)


def check_name(name: str, bytes_max: int = NAME_BYTES_MAX) -> str:
    """Return the name of a queue, topic or exchange in NFC.

    Args:
        name: as a peer gave it.
        bytes_max: how long it may be, in UTF-8.

    Raises:
        InvalidNameError: it is empty, too long, or has something in it that no name may have.
    """
    found = check_visible(name, bytes_max)
    if ".." in found:
        raise InvalidNameError("a name may not have '..' in it")
    return found


def check_visible(text: str, bytes_max: int = NAME_BYTES_MAX) -> str:
    """Return a name, or a pattern on names, in NFC. As `check_name`, but for two dots in a row.

    Raises:
        InvalidNameError: as `check_name`.
    """
    found = normal(text)
    if not 1 <= len(found.encode(errors="replace")) <= bytes_max:
        raise InvalidNameError(f"a name has 1 to {bytes_max} bytes")
    if any(unicodedata.category(character) in _INVISIBLE for character in found):
        raise InvalidNameError("a name may have no control or invisible characters")
    if found != found.strip():
        raise InvalidNameError("a name may not begin or end with a space")
    return found


def check_queue_name(name: str, *, lists: bool = True) -> str:
    """Return the name of a queue that is to be made, in NFC: one that clients can write as a destination.

    Args:
        name: as a peer gave it.
        lists: whether there are lists and options in destinations, as ActiveMQ has them.

    Raises:
        InvalidNameError: as `check_name`; or it reads as something else where a destination is wanted.
    """
    found = check_name(name)
    if has_wildcards(found):
        raise InvalidNameError("wildcards are for topics")
    if lists and is_list(found):
        raise InvalidNameError("a name may have no comma: it separates the destinations of a list")
    if lists and has_options(found):
        raise InvalidNameError("a name may not have other brokers' options behind it")
    return found


def check_topic_name(name: str) -> str:
    """Return the name of a topic that is published to, in NFC: words, separated by dots.

    Raises:
        InvalidNameError: as `check_name`; or a word of it is empty, or a wildcard.
    """
    found = check_name(name)
    if not all(found.split(".")):
        raise InvalidNameError("a topic may not begin or end with a dot")
    if has_wildcards(found):
        raise InvalidNameError("wildcards are for subscriptions")
    return found


def has_wildcards(name: str) -> bool:
    """True when a word of it is a wildcard, or looks like one."""
    return any(word in _WILDCARDS or is_half_a_wildcard(word) for word in name.split("."))


def is_half_a_wildcard(word: str) -> bool:
    """True when a word looks like a pattern but is none, so that its author would wait in vain; "c#" is a name."""
    return word not in ("*", "#") and ("*" in word or ">" in word)


def is_list(text: str) -> bool:
    """True for ActiveMQ's lists: "/queue/a,/queue/b"."""
    return "," in text


def has_options(text: str) -> bool:
    """True when ActiveMQ's options stand behind a destination."""
    return _has_options(text) is not None
