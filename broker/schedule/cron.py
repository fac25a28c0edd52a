"""Cron entries: five fields that say at which minutes something happens, as in crontab(5) and ActiveMQ's scheduler.

`minute hour day-of-month month day-of-week`; each is `*`, a number, a range `a-b`, any of these with a step `/n`, or a
list of such with commas. Sunday is 0 and 7; months and days have their English names of three letters, too. When both
days are restricted, either is enough. Minutes are those of the machine's time zone: one that is left out when clocks
go ahead happens as much later, one that comes twice when they go back happens once.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

__all__ = ["Cron", "CronError"]

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: Final = {3: {name: at for at, name in enumerate(_MONTHS, 1)}, 4: {name: at for at, name in enumerate(_DAYS)}}
_YEARS: Final = 9
"""The 29th of February is eight years away at most, while it is no century."""
_TEXT_MAX: Final = 200


class CronError(ValueError):
    """A text is no cron entry; the error's text may be shown to whoever wrote it."""


class Cron:
    """One entry."""

    __slots__ = ("_days", "_either_day", "_hours", "_minutes", "_months", "_weekdays", "text")

    def __init__(self, text: str) -> None:
        """Read an entry.

        Raises:
            CronError: it is none, or says what never happens.
        """
        self.text = text
        fields = text.split()
        if len(fields) != len(_FIELDS) or len(text) > _TEXT_MAX:
            raise CronError("a cron entry has five fields: minute, hour, day of month, month, day of week")
        self._minutes, self._hours, self._days, self._months, weekdays = map(_values, range(5), fields)
        self._weekdays = frozenset(day % 7 for day in weekdays)
        self._either_day = not fields[2].startswith("*") and not fields[4].startswith("*")
        if self.next_ms(0) is None:
            raise CronError(f"there is no such day: '{text}'")

    def next_ms(self, after_ms: int, zone: tzinfo | None = None) -> int | None:
        """The first such minute behind a time, both milliseconds since 1970; None when there is none for years.

        Args:
            after_ms: that time.
            zone: whose minutes they are; None for the machine's.
        """
        moment = datetime.fromtimestamp(after_ms // 60_000 * 60, zone).replace(tzinfo=None) + timedelta(minutes=1)
        last = moment.year + _YEARS
        while moment.year < last:
            if moment.month not in self._months:
                moment = _next_month(moment)
            elif not self._has_day(moment):
                moment = moment.replace(hour=0, minute=0) + timedelta(days=1)
            elif moment.hour not in self._hours:
                moment = moment.replace(minute=0) + timedelta(hours=1)
            elif moment.minute not in self._minutes or (found := _milliseconds(moment, zone)) <= after_ms:
                moment += timedelta(minutes=1)
            else:
                return found
        return None

    def _has_day(self, moment: datetime) -> bool:
        by_date = moment.day in self._days
        by_weekday = moment.isoweekday() % 7 in self._weekdays
        return by_date or by_weekday if self._either_day else by_date and by_weekday


def _milliseconds(moment: datetime, zone: tzinfo | None) -> int:
    return int(moment.replace(tzinfo=zone).timestamp()) * 1000


def _next_month(moment: datetime) -> datetime:
    first = moment.replace(day=1, hour=0, minute=0)
    return first.replace(year=first.year + 1, month=1) if first.month == 12 else first.replace(month=first.month + 1)


def _values(index: int, text: str) -> frozenset[int]:
    name, low, high = _FIELDS[index]
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        step = _number(step_text, index, 1, high) if slash else 1
        if span == "*":
            first, last = low, high
        else:
            first = _number(first_text, index, low, high)
            last = _number(last_text, index, low, high) if dash else high if slash else first
        if first > last:
            raise CronError(f"'{part}' is no range of the field {name}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, index: int, low: int, high: int) -> int:
    named = _NAMES.get(index, {}).get(text)
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit() and len(text) < 4 and low <= int(text) <= high):
        name, *_ = _FIELDS[index]
        raise CronError(f"'{text}' is nothing for the field {name}: it has numbers from {low} to {high}")
    return int(text)
