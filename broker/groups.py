"""Message groups: which group a message belongs to. What follows from that is in look_ahead.py."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["GROUP_HEADERS", "closes_group", "group_of"]

GROUP_HEADERS: Final = ("JMSXGroupID", "_AMQ_GROUP_ID")
"""JMS's name, which ActiveMQ uses in STOMP, and Artemis' own."""


class _Lookup(Protocol):
    def get(self, name: str, /) -> str | None: ...


def group_of(headers: _Lookup) -> str | None:
    """The group that a message belongs to; None for none, and an empty name is none."""
    for name in GROUP_HEADERS:
        if value := headers.get(name):
            return value
    return None


def closes_group(headers: _Lookup) -> bool:
    """True for the last message of a group: the next one may go to anybody."""
    return headers.get("JMSXGroupSeq") == "-1"
