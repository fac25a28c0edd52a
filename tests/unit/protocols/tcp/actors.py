"""A conversation for connections of tests: it says, and notes, what the test wants."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable


class Talk:
    """A `Conversation` that does as the test says."""

    def __init__(self) -> None:
        self.finished = False
        self.login: Callable[[], Awaitable[None]] | None = None
        self.thirsty = True
        self.received = b""
        self.ends = 0
        self.out = b""
        self.sent = 0
        self.stuck = 0
        self.is_quiet = True
        self.moment = math.inf
        self.verdict = ""
        self.looks = 0
        self.closed_because: list[str] = []
        self.closed_by: list[str] = []
        self.write: Callable[[], None] = lambda: None

    def receive(self, data: bytes) -> None:
        self.received += data

    def end_of_input(self) -> None:
        self.ends += 1
        self.finished = True

    def go_on(self) -> None:
        self.thirsty = True

    def take_output(self) -> bytes:
        data, self.out = self.out, b""
        return data

    def output_sent(self) -> None:
        self.sent += 1

    def output_stuck(self, size: int) -> None:
        self.stuck = size

    def quiet(self) -> bool:
        return self.is_quiet and not self.out

    def next_deadline(self, now: float) -> float:
        return self.moment

    def deadline(self, now: float) -> str:
        self.looks += 1
        return self.verdict

    def frame_late(self) -> None:
        self.finished = True

    def closed_by_node(self, reason: str) -> None:
        self.closed_by.append(reason)
        self.out += b"bye"
        self.write()

    def closed(self, reason: str) -> None:
        self.closed_because.append(reason)
