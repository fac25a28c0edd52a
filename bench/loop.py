"""The event loop: one epoll for all connections of a run."""

from __future__ import annotations

import select
import time
from pathlib import Path
from typing import Protocol

from segue.bench.stream import Stream

__all__ = ["End", "Loop"]


class End(Protocol):
    """A producer or a consumer, or another client."""

    @property
    def link(self) -> Stream:
        """Its connection."""

    def receive(self, frames: bytes, now: int) -> None:
        """Whole frames came, or what is whole in the link's protocol."""


class Loop:
    """Reads and flushes what is ready. The links stay their owner's to close."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ends: dict[int, End] = {}
        self._watched_for_output: set[int] = set()
        _sharpen_timers()

    def add(self, end: End) -> None:
        """Take over an end whose link has been set up."""
        descriptor = end.link.start()
        self._ends[descriptor] = end
        self._epoll.register(descriptor, select.EPOLLIN)

    def step(self, wait_seconds: float) -> None:
        """Wait at most so long for anything to do, and do it.

        Raises:
            BrokerError: a connection broke, or an ERROR came.
        """
        for descriptor, events in self._ready(max(wait_seconds, 0.0)):
            end = self._ends[descriptor]
            if events & select.EPOLLOUT:
                end.link.flush()
            if events != select.EPOLLOUT:
                # Before the read: what it brings was there when epoll said so, and our own work is not the broker's.
                now = time.monotonic_ns()
                frames = end.link.receive()
                if frames:
                    end.receive(frames, now)
            if end.link.backed_up or self._watched_for_output:
                self.watch_output(descriptor, end)

    def watch_all_outputs(self) -> None:
        """Look at every link, after something was sent outside `step`."""
        for descriptor, end in self._ends.items():
            self.watch_output(descriptor, end)

    def watch_output(self, descriptor: int, end: End) -> None:
        """Wait for room in the kernel's buffer where, and only where, output waits."""
        if end.link.backed_up == (descriptor in self._watched_for_output):
            return
        self._watched_for_output ^= {descriptor}
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if end.link.backed_up else 0))

    def close(self) -> None:
        """Watch nothing any more."""
        self._ends.clear()
        self._epoll.close()

    def _ready(self, wait_seconds: float) -> list[tuple[int, int]]:
        # epoll waits in whole milliseconds, which is a whole period at 1,000 messages a second. select knows
        # microseconds, and an epoll can itself be selected.
        if 0 < wait_seconds < 0.05:
            select.select([self._epoll.fileno()], [], [], wait_seconds)
            wait_seconds = 0
        return self._epoll.poll(wait_seconds, max(len(self._ends), 1))


def _sharpen_timers() -> None:
    """Let this process be woken to the microsecond: by default the kernel takes 50 us of slack."""
    try:
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    except OSError:
        return  # Latencies at a fixed rate then include the slack, for every broker alike.
