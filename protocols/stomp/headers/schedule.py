"""When a SEND is to be delivered: the headers that say so, ours and those of other brokers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.headers.values import invalid_value

__all__ = ["SCHEDULE_HEADERS", "SendSchedule", "read_delay", "read_schedule"]

_DELAYS: Final = ("delay", "x-delay", "AMQ_SCHEDULED_DELAY")
_TIMES: Final = ("deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY")
_PERIOD: Final = "AMQ_SCHEDULED_PERIOD"
_REPEAT: Final = "AMQ_SCHEDULED_REPEAT"
_CRON: Final = "AMQ_SCHEDULED_CRON"
_REPEATS: Final = (_PERIOD, _REPEAT, _CRON)
SCHEDULE_HEADERS: Final = frozenset((*_DELAYS, *_TIMES, *_REPEATS))

_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_DELAY_MS_MAX: Final = 100 * 36525 * 864_000
"""A hundred years. What is longer is a mistake: a time of day where a delay is wanted, mostly."""
_DELAY_RANGE: Final = "from 0, a hundred years at most"
_REPEATS_MAX: Final = (1 << 31) - 1
_TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999; what is longer is no time in milliseconds."""


@dataclass(frozen=True, slots=True)
class SendSchedule:
    """When a message is to be delivered.

    Attributes:
        delay_ms: so long after its acceptance.
        time_ms: instead, at a time, milliseconds since 1970.
        period_ms: between one delivery and the next.
        repeats: deliveries after the first; -1 for ever.
        cron: an entry that says when all this begins, again and again; empty for now, and once.
    """

    delay_ms: int = 0
    time_ms: int | None = None
    period_ms: int = 0
    repeats: int = 0
    cron: str = ""


def read_schedule(headers: Mapping[str, str]) -> SendSchedule | None:
    """What a SEND says about when it is to be delivered; None for now.

    Raises:
        StompProtocolError: INVALID_HEADER.
    """
    if SCHEDULE_HEADERS.isdisjoint(headers):
        return None
    said = [name for name in (*_DELAYS, *_TIMES) if name in headers]
    repeated = [name for name in _REPEATS if name in headers]
    if len(said) > 1:
        raise _contradiction(said[0], said[1])
    if said and said[0] in _TIMES:
        if repeated:
            raise _contradiction(said[0], repeated[0])
        return SendSchedule(
            time_ms=_milliseconds(headers, said[0], _TIME_MS_MAX, "since 1970, up to the year 9999"),
        )
    delay_ms = _milliseconds(headers, said[0], _DELAY_MS_MAX, _DELAY_RANGE) if said else 0
    return _repeated(headers, delay_ms) if repeated else SendSchedule(delay_ms) if delay_ms else None


def read_delay(headers: Mapping[str, str]) -> int | None:
    """The header `delay` of a NACK, in milliseconds; None without one.

    Raises:
        StompProtocolError: INVALID_HEADER.
    """
    return _milliseconds(headers, "delay", _DELAY_MS_MAX, _DELAY_RANGE) if "delay" in headers else None


def _repeated(headers: Mapping[str, str], delay_ms: int) -> SendSchedule:
    """As ActiveMQ has it: without a delay, the first delivery comes after a period."""
    period_ms = _milliseconds(headers, _PERIOD, _DELAY_MS_MAX, _DELAY_RANGE) if _PERIOD in headers else 0
    repeats, cron = _repeats(headers), headers.get(_CRON, "").strip()
    if repeats and not period_ms:
        problem = f"'{_REPEAT}' needs '{_PERIOD}', and that one longer than 0"
        raise StompProtocolError(ErrorCode.INVALID_HEADER, problem)
    return SendSchedule(delay_ms if delay_ms or cron else period_ms, None, period_ms, repeats, cron)


def _repeats(headers: Mapping[str, str]) -> int:
    text = headers.get(_REPEAT, "0")
    if text != "-1" and (not _NUMBER.fullmatch(text) or int(text) > _REPEATS_MAX):
        raise invalid_value(_REPEAT, text, f"it is a number up to {_REPEATS_MAX}, or -1 for ever")
    return int(text)


def _contradiction(first: str, second: str) -> StompProtocolError:
    problem = f"'{first}' and '{second}' both say when: one of them can hold"
    return StompProtocolError(ErrorCode.INVALID_HEADER, problem)


def _milliseconds(headers: Mapping[str, str], name: str, maximum: int, range_text: str) -> int:
    text = headers[name]
    if not _NUMBER.fullmatch(text) or int(text) > maximum:
        raise invalid_value(name, text, f"it is milliseconds {range_text}")
    return int(text)
