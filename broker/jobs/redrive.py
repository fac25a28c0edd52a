"""Dead letters on their way back: where each came from, and what it is without its death.

As SQS does it, a redriven message is what its sender sent, and its deliveries are counted anew. RabbitMQ's history
goes, too: a queue that finds itself in it would take the next expiry there for a circle, and give the message up. What
stays is that it was redriven, and how often, so that a consumer can tell one that comes round and round.
"""

from __future__ import annotations

import json
from typing import Any, Final

from segue.broker.headers import Headers, with_headers
from segue.broker.message import decode

__all__ = ["COUNT", "FROM", "origin_of", "redriven"]

FROM: Final = "redriven-from"
COUNT: Final = "redriven-count"
_DEATH: Final = (
    "dead-letter-from",
    "dead-letter-reason",
    "dead-letter-time",
    "dead-letter-deliveries",
    "x-death",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-first-death-exchange",
)
_COUNT_DIGITS_MAX: Final = 18


def origin_of(record: bytes) -> str:
    """The queue that a dead letter came from, the last one if there were several; empty for what is none."""
    said = Headers(record)
    return said.get("dead-letter-from") or _last_death(said.get("x-death")) or said.get("x-first-death-queue") or ""


def redriven(record: bytes, *, queue: str, now_ms: int) -> bytes:
    """The record that goes back: the message, without its death, accepted anew.

    Args:
        record: a dead letter.
        queue: that it was in.
        now_ms: when it is accepted.
    """
    count = Headers(record).get(COUNT) or ""
    times = int(count) if count.isdecimal() and len(count) <= _COUNT_DIGITS_MAX else 0
    headers = {FROM: queue, COUNT: str(times + 1)}
    return with_headers(decode(record), headers, accepted_ms=now_ms, left_out=_DEATH)


def _last_death(text: str | None) -> str:
    """The queue of the first entry of `x-death`; a peer may have made it up."""
    try:
        deaths: Any = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return ""
    latest = deaths[0] if isinstance(deaths, list) and deaths else None
    queue = latest.get("queue") if isinstance(latest, dict) else None
    return queue if isinstance(queue, str) else ""
