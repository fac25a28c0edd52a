"""Dead letters: what becomes of a message that can't be consumed.

A message is condemned when it is refused (`requeue:false`), or comes back once too often. That is written first, as
its *standing* (`storage.cursor.CONDEMNED`): from then on it is not delivered any more, whatever happens. Then, as soon
as its bytes are at hand, it is moved: the new message and the settling of the old one are one batch, so after a crash
it is in one place or the other, never in both and never in none.
"""

from __future__ import annotations

import json
from enum import Enum, IntEnum
from typing import Any, Final

from segue.broker.headers import Headers, with_headers
from segue.broker.message import decode
from segue.storage.api import CONDEMNED

__all__ = ["Burial", "Reason", "condemned", "dead_letter", "due_of", "goes_round", "sentence_of"]

_DUE_AT: Final = 1 << 64

_DEADLINES: Final = ("expires", "expiration")
"""Headers that no longer hold: a dead letter does not expire, but by the rules of the queue that it is in."""
_DEATHS_MAX: Final = 16
"""Entries of `x-death`: one for each pair of queue and reason."""
_COUNT_MAX: Final = 1 << 62
"""A larger number in `x-death` is nobody's count; Python refuses to write those of thousands of digits."""


class Reason(IntEnum):
    """Why a message is a dead letter. The numbers are on disk."""

    REJECTED = 1
    DELIVERY_LIMIT = 2
    EXPIRED = 3
    OVERFLOW = 4
    PUT_OFF = 5
    """It is none: it comes again later, see redelivery.py."""

    @property
    def text(self) -> str:
        """As RabbitMQ writes it."""
        return "maxlen" if self is Reason.OVERFLOW else self.name.lower()


class Burial(Enum):
    """What has become of a message that was to be moved."""

    MOVED = "moved"
    GIVEN_UP = "given up"
    PUT_OFF = "put off"
    STUCK = "stuck"
    """There is no room for it now: it has to stay where it is."""


def condemned(deliveries: int, reason: Reason, due_ms: int = 0) -> int:
    """The standing of a message that was delivered so often; `due_ms`: when one that is put off comes again."""
    return deliveries + reason * CONDEMNED + due_ms * _DUE_AT


def sentence_of(standing: int) -> tuple[int, Reason]:
    """Deliveries and reason of a standing. A reason of a newer Segue counts as REJECTED."""
    reason, deliveries = divmod(standing % _DUE_AT, CONDEMNED)
    return deliveries, Reason(reason) if reason in _REASONS else Reason.REJECTED


def due_of(standing: int) -> int:
    """When a message comes again that is put off, by the clock of delays; 0 where an earlier Segue did not say."""
    return standing // _DUE_AT


def dead_letter(record: bytes, *, queue: str, reason: Reason, deliveries: int, now_ms: int, died_ms: int) -> bytes:
    """The record that goes to the dead-letter queue: the message, and what happened to it.

    The headers are our own (`dead-letter-...`) and RabbitMQ's; `x-death` is JSON, as STOMP has no tables: an array with
    an object for each pair of queue and reason, the latest first. Accepted at `now_ms`, by the clock on the wall
    `died_ms`.
    """
    said = Headers(record)
    first_queue = said.get("x-first-death-queue")
    deaths = _deaths(said.get("x-death"))
    same = [one for one in deaths if one.get("queue") == queue and one.get("reason") == reason.text]
    count = same[0].get("count") if same else 0
    latest = {
        "count": count + 1 if isinstance(count, int) else 1,
        "reason": reason.text,
        "queue": queue,
        "time": died_ms // 1000,
        "exchange": "",
        "routing-keys": [queue],
    }
    rest = [one for one in deaths if one not in same]
    headers = {
        "dead-letter-from": queue,
        "dead-letter-reason": reason.text,
        "dead-letter-time": str(died_ms),
        "dead-letter-deliveries": str(deliveries),
        "x-death": json.dumps([latest, *rest][:_DEATHS_MAX], separators=(",", ":")),
    }
    if first_queue is None:
        headers |= {
            "x-first-death-queue": queue,
            "x-first-death-reason": reason.text,
            "x-first-death-exchange": "",
        }
    return with_headers(decode(record), headers, accepted_ms=now_ms, left_out=_DEADLINES)


def goes_round(record: bytes, queue: str) -> bool:
    """True when a message has left this queue by itself before, and nobody has refused it since.

    As in RabbitMQ, such a message is given up: two queues that are each other's dead-letter queue would pass it to and
    fro for ever. One that a consumer refuses on the way goes round as often as it is refused: that is how delayed
    retries are built. A history that is full of such deaths may have forgotten the one in this queue.
    """
    deaths = _deaths(Headers(record).get("x-death"))
    for death in deaths:
        if death.get("reason") not in _BY_ITSELF:
            return False
        if death.get("queue") == queue:
            return True
    return len(deaths) >= _DEATHS_MAX


_REASONS: Final = frozenset(map(int, Reason))
_BY_ITSELF: Final = frozenset({Reason.EXPIRED.text, Reason.OVERFLOW.text})


def _deaths(text: str | None) -> list[dict[str, Any]]:
    """What a header says that may be a peer's own invention: of that, only what can be written again as it is."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [{key: value for key, value in one.items() if _is_plain(value)} for one in found if isinstance(one, dict)]


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < _COUNT_MAX)
