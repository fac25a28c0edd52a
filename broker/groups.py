"""Message groups: which group a message belongs to. What follows from that is in look_ahead.py."""

from __future__ import annotations

from typing import Final

from segue.broker.message import HEADERS_AT, headers_end

__all__ = ["GROUP_HEADERS", "closes_group", "group_of"]

GROUP_HEADERS: Final = ("JMSXGroupID", "_AMQ_GROUP_ID")
"""JMS's name, which ActiveMQ uses in STOMP, and Artemis' own."""
_KEYS: Final = tuple(f"\n{name}:".encode() for name in GROUP_HEADERS)
_CLOSES: Final = b"JMSXGroupSeq:-1\n"


def group_of(record: bytes) -> bytes | None:
    """The group that a message belongs to, as its record has it; None for none, and an empty name is none."""
    end = headers_end(record)
    for key in _KEYS:
        found = record.find(key, HEADERS_AT, end)
        if found >= 0:
            start = found + len(key)
        elif record.startswith(key[1:], HEADERS_AT):
            start = HEADERS_AT + len(key) - 1
        else:
            continue
        if name := record[start : record.find(b"\n", start)]:
            return name
    return None


def closes_group(record: bytes) -> bool:
    """True for the last message of a group: the next one may go to anybody."""
    end = headers_end(record)
    if record.find(_CLOSES, HEADERS_AT, end) < 0:  # so it is with nearly all, and one search says so
        return False
    return record.startswith(_CLOSES, HEADERS_AT) or record.find(b"\n" + _CLOSES, HEADERS_AT, end) >= 0
