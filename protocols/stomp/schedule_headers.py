"""When a SEND is to be delivered: the headers that say so, ours and those of other brokers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["SCHEDULE_HEADERS", "SendSchedule", "read_schedule"]

_DELAYS: Final = ("delay", "x-delay", "AMQ_SCHEDULED_DELAY")
_TIMES: Final = ("deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY")
SCHEDULE_HEADERS: Final = frozenset((*_DELAYS, *_TIMES))

_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DELAY_MS_MAX: Final = 100 * 36525 * 864_000
"""A hundred years. What is longer is a mistake: a time of day where a delay is wanted, mostly."""
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999; what is longer is no time in milliseconds."""


@dataclass(frozen=True, slots=True)
class SendSchedule:
    """When a message is to be delivered.

    Attributes:
        delay_ms: so long after its acceptance; None where a time is given.
        time_ms: at a time, milliseconds since 1970.
    """

    delay_ms: int | None = None
    time_ms: int | None = None


def read_schedule(headers: Mapping[str, str]) -> SendSchedule | None:
    """What a SEND says about when it is to be delivered; None for now.

    Raises:
        StompProtocolError: INVALID_HEADER.
    """
    said = [name for name in (*_DELAYS, *_TIMES) if name in headers]
    if not said:
        return None
    if len(said) > 1:
        problem = f"'{said[0]}' and '{said[1]}' both say when: one of them can hold"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    (name,) = said
    if name in _TIMES:
        return SendSchedule(time_ms=_milliseconds(headers, name, _TIME_MS_MAX, "since 1970, up to the year 9999"))
    delay_ms = _milliseconds(headers, name, _DELAY_MS_MAX, "from 0, a hundred years at most")
    return SendSchedule(delay_ms=delay_ms) if delay_ms else None


def _milliseconds(headers: Mapping[str, str], name: str, maximum: int, range_text: str) -> int:
    text = headers[name]
    if not _NUMBER.fullmatch(text) or int(text) > maximum:
        problem = f"'{quote(text)}' is no value for '{name}': it is milliseconds {range_text}"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return int(text)
