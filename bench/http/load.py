"""A load of many clients at once: one loop, one connection a client, and what came out."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from typing import Any

from segue.bench.answers import body_of
from segue.bench.histogram import Histogram
from segue.bench.http.clients import Conversation
from segue.bench.http.link import HttpLink
from segue.bench.loop import Loop
from segue.bench.replies import BrokerError

__all__ = ["run_clients", "until_over"]

_TICK_SECONDS = 0.1
_PATIENCE_NANOSECONDS = 60_000_000_000
_NANOSECONDS_PER_SECOND = 1_000_000_000


class _Client:
    """One connection and its conversation."""

    def __init__(self, link: HttpLink, conversation: Conversation, answers: Histogram) -> None:
        self.link = link
        self.done = False
        self.answered = time.monotonic_ns()
        self._conversation = conversation
        self._answers = answers

    def begin(self) -> None:
        """Ask for the first time."""
        self._ask(None)

    def receive(self, frames: bytes, now: int) -> None:
        """An answer came: go on with it."""
        self._answers.record(now - self._asked)
        self.answered = now
        self._ask(body_of(frames))

    def _ask(self, answer: bytes | None) -> None:
        try:
            request = next(self._conversation) if answer is None else self._conversation.send(answer)
        except StopIteration:
            self.done = True
            return
        self._asked = time.monotonic_ns()
        self.link.send(request)


def run_clients(port: int, conversations: Iterable[Conversation]) -> dict[str, Any]:
    """Let clients talk until all of them have ended.

    Returns:
        `seconds`, from the first request to the last answer; `request`, how long requests took;
        `generator_cpu_seconds`; and `error`, empty when all went through.
    """
    answers = Histogram()
    clients: list[_Client] = []
    loop = Loop()
    error = ""
    # Millions of live integers and no cycles: a collection would only be a pause in the measurement.
    gc.disable()
    started, cpu = time.monotonic_ns(), time.thread_time()
    try:
        for conversation in conversations:
            clients.append(_Client(HttpLink(port), conversation, answers))
            loop.add(clients[-1])
        started, cpu = time.monotonic_ns(), time.thread_time()
        _talk(loop, clients)
    except BrokerError as broken:
        error = str(broken)
    finally:
        gc.enable()
        loop.close()
        for client in clients:
            client.link.close()
    ended = max((client.answered for client in clients), default=started)
    percentiles = answers.percentiles()
    return {
        "seconds": round(max(ended - started, 0) / _NANOSECONDS_PER_SECOND, 4),
        "request": None if percentiles is None else percentiles.as_dict(),
        "generator_cpu_seconds": round(time.thread_time() - cpu, 3),
        "error": error,
    }


def until_over(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have not passed yet since this was first asked: to connect takes time, too."""
    ends: list[float] = []

    def goes_on() -> bool:
        now = time.monotonic()
        if not ends:
            ends.append(now + seconds)
        return now < ends[0]

    return goes_on


def _talk(loop: Loop, clients: list[_Client]) -> None:
    for client in clients:
        client.begin()
    loop.watch_all_outputs()
    while not all(client.done for client in clients):
        loop.step(_TICK_SECONDS)
        silent = time.monotonic_ns() - max(client.answered for client in clients)
        if silent > _PATIENCE_NANOSECONDS:
            raise BrokerError(f"no answer for {silent / _NANOSECONDS_PER_SECOND:.0f} s")
