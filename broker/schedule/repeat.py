"""How a message is repeated: after a period, so many times, or by a cron entry; as ActiveMQ's scheduler does it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from segue.broker.message import decode, encode, prefix

__all__ = ["FOR_EVER", "ONCE", "Repeat", "put_ahead", "restamped"]

FOR_EVER: Final = -1


@dataclass(frozen=True, slots=True)
class Repeat:
    """What is to be done after a delivery.

    Attributes:
        period_ms: until the next one.
        left: how many more there are; `FOR_EVER`.
        cron: an entry, see `Cron`: at each of its times all the rest begins. Empty for none.
        delay_ms: of the first delivery after such a time.
        lives_ms: how long each delivery may wait to be consumed; None for as long as the message itself says.
    """

    period_ms: int = 0
    left: int = 0
    cron: str = ""
    delay_ms: int = 0
    lives_ms: int | None = None

    def __bool__(self) -> bool:
        return bool(self.left or self.cron)

    def as_text(self) -> str:
        """As it stands in a `ScheduledMessage`."""
        if not self:
            return ""  # most are not repeated, and the rest takes 8 µs
        given = {name: value for name, value in asdict(self).items() if value != getattr(ONCE, name)}
        return json.dumps(given, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Repeat:
        """What `as_text` wrote. What only a newer Segue knows is passed over."""
        given: dict[str, Any] = json.loads(text) if text else {}
        return cls(**{name: given[name] for name in cls.__slots__ if name in given})

    def after_one(self) -> Repeat:
        """What is left when one more was delivered."""
        left = self.left if self.left == FOR_EVER else self.left - 1
        return Repeat(self.period_ms, left, "", 0, self.lives_ms)

    @property
    def at_each_time(self) -> Repeat:
        """Of one with a cron entry: what begins at each of its times."""
        return Repeat(self.period_ms, self.left, "", 0, self.lives_ms)

    @property
    def first_ms(self) -> int:
        """Of one with a cron entry: how long after its time the first delivery is."""
        return self.delay_ms or (self.period_ms if self.left else 0)


ONCE: Final = Repeat()


def restamped(record: bytes, accepted_ms: int, lives_ms: int | None) -> bytes:
    """The message as if it had been accepted at another time."""
    message = decode(record)
    expires_ms = message.expires_ms if lives_ms is None else accepted_ms + lives_ms
    common = prefix(accepted_ms, message.headers, message.flags, expires_ms, message.encoding)
    return encode(*common, message.body)


def put_ahead(record: bytes, by_ms: int) -> bytes:
    """The message with the times of a clock that is so far ahead of the one whose times it has.

    There is nothing before 1970: who wants a message in its first hour, and has it at once, may get it later than then.
    """
    if not by_ms:
        return record
    message = decode(record)
    accepted_ms = max(0, message.accepted_ms + by_ms)
    expires_ms = message.expires_ms and max(1, message.expires_ms + by_ms)
    common = prefix(accepted_ms, message.headers, message.flags, expires_ms, message.encoding)
    return encode(*common, message.body)
