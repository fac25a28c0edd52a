"""What is set of a push queue: whom its messages go to, and how often that is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["PushOptions", "PushType", "Subscriber"]


class PushType(StrEnum):
    """How many subscribers get a message."""

    MULTICAST = "multicast"
    """Each of them."""
    UNICAST = "unicast"
    """One of them."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Whom messages are pushed to.

    Attributes:
        name: of 1 to 64 bytes; no two of a queue have the same.
        url: see `Target`.
        headers: that each of its requests has.
        keys: that its messages are signed with, the newest first (`read_secret`); none for no signature.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PushOptions:
    """Of one queue.

    Attributes:
        type: how many subscribers get a message.
        subscribers: whom.
        retries: how often a message is pushed again to a subscriber that has failed.
        retries_delay_seconds: after how long; also for how long a subscriber may keep a message that it has answered
            with 202.
        error_queue: the queue that is told of messages that could not be delivered; empty for none.
    """

    type: PushType
    subscribers: tuple[Subscriber, ...]
    retries: int = 3
    retries_delay_seconds: int = 60
    error_queue: str = ""
