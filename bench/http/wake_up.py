"""Long polls: how long after a message was published has a consumer who waits for it got it."""

from __future__ import annotations

import random
import time
from typing import Any

from segue.bench.histogram import Histogram
from segue.bench.http.door import Door
from segue.bench.http.link import HttpLink
from segue.bench.http.tally import Tally
from segue.bench.replies import BrokerError

__all__ = ["run_long_polls"]

_WAIT_SECONDS = 30
# The broker has long begun to wait by then. It differs from time to time, so as to keep step with nothing.
_PAUSE_SECONDS = (0.002, 0.004)


def run_long_polls(port: int, door: Door, tally: Tally, seconds: float) -> dict[str, Any]:
    """One consumer, one publisher, one message at a time.

    Returns:
        `wake_up`: from sending the message to the consumer's answer; `confirmed`, `seconds`, `generator_cpu_seconds`
        and `error`, as with other loads.
    """
    wake_ups, before, error = Histogram(), tally.published, ""
    started, cpu = time.monotonic(), time.thread_time()
    consumer, publisher = HttpLink(port), HttpLink(port)
    try:
        while time.monotonic() - started < seconds:
            wake_ups.record(_wake_up(door, consumer, publisher, tally))
    except BrokerError as broken:
        error = str(broken)
    finally:
        consumer.close()
        publisher.close()
    percentiles = wake_ups.percentiles()
    return {
        "confirmed": tally.published - before,
        "seconds": round(time.monotonic() - started, 4),
        "wake_up": None if percentiles is None else percentiles.as_dict(),
        "generator_cpu_seconds": round(time.thread_time() - cpu, 3),
        "error": error,
    }


def _wake_up(door: Door, consumer: HttpLink, publisher: HttpLink, tally: Tally) -> int:
    """One message, in nanoseconds."""
    number = tally.numbers(1)
    message = door.publishing(1)(number)
    consumer.send(door.taking(1, wait_seconds=_WAIT_SECONDS))
    time.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - guards nothing
    sent = time.monotonic_ns()
    publisher.send(message)
    answer = consumer.answer()
    took = time.monotonic_ns() - sent
    tally.confirm(door.published(publisher.answer()), 1)
    taken = door.taken(answer)
    if taken.numbers != [number]:
        raise BrokerError(f"a long poll for message {number} was answered with {taken.numbers}")
    consumer.send(taken.settlement)
    if not door.is_settled(consumer.answer()):
        raise BrokerError("what a long poll brought could not be settled")
    tally.take(taken.numbers)
    return took
