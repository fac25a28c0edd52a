"""Publishers and consumers for measuring: paced or as fast as they can, each a thread with one connection.

A message carries the time at which it was due, so that a publisher that is held up makes the latency longer instead of
measuring less often (coordinated omission).
"""

from __future__ import annotations

import itertools
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import ConnectionEnded, NothingArrived

__all__ = ["Consumer", "Publisher", "fill", "percentile", "watch_memory"]

_HEAD = struct.Struct("!dQ")
_POLL_SECONDS = 0.2


def percentile(values: list[float], share: float) -> float:
    """The value that this share of `values` does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class _Worker(threading.Thread, ABC):
    """A thread with one connection, stopped by an event, whose failure `finish` raises."""

    def __init__(self, broker: BrokerProcess) -> None:
        super().__init__(daemon=True)
        self.client = broker.raw_client(patience_seconds=120.0)
        self.client.connect()
        self.failure: BaseException | None = None
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as failure:  # noqa: BLE001 - raised again by `finish`
            self.failure = failure

    @abstractmethod
    def work(self) -> None:
        """Do it, until `_stop_asked`."""

    def finish(self, timeout_seconds: float = 120.0) -> None:
        """Stop, wait, and raise what went wrong."""
        self._stop_asked.set()
        self.join(timeout_seconds)
        assert not self.is_alive(), "a worker hangs"
        self.client.close()
        if self.failure is not None:
            raise self.failure


class Publisher(_Worker):
    """Sends messages with receipts.

    Args:
        broker: The daemon, which runs.
        destination: Where to.
        body_bytes: The size of a body, at least 16.
        rate: Messages a second; None for as fast as the window allows.
        window: How many may be unconfirmed.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        destination: str,
        *,
        body_bytes: int = 256,
        rate: float | None = None,
        window: int = 500,
    ) -> None:
        super().__init__(broker)
        self.destination = destination
        self.body_bytes = body_bytes
        self.rate = rate
        self.window = window
        self.sent = 0
        self.confirmed = 0
        self.latencies: list[float] = []

    def work(self) -> None:
        due_times = self._due_times()
        in_flight: dict[int, float] = {}
        while not self._stop_asked.is_set():
            due = next(due_times)
            while (wait := due - time.monotonic()) > 0 or len(in_flight) >= self.window:
                self._take_receipt(in_flight, min(max(wait, 0.0), _POLL_SECONDS) or _POLL_SECONDS)
                if self._stop_asked.is_set():
                    break
            self._send(due, in_flight)
        while in_flight:
            self._take_receipt(in_flight, self.client.patience_seconds)

    def _due_times(self) -> Iterator[float]:
        if self.rate is None:
            yield from iter(time.monotonic, None)
            return
        began = time.monotonic()
        for number in itertools.count():
            yield began + number / self.rate

    def _send(self, due: float, in_flight: dict[int, float]) -> None:
        body = _HEAD.pack(due, self.sent).ljust(self.body_bytes, b"\0")
        self.client.publish(self.destination, body, receipt=str(self.sent))
        in_flight[self.sent] = due
        self.sent += 1

    def _take_receipt(self, in_flight: dict[int, float], timeout_seconds: float) -> None:
        try:
            frame = self.client.receive(timeout_seconds)
        except NothingArrived:
            return
        assert frame.command == "RECEIPT", frame
        self.latencies.append(time.monotonic() - in_flight.pop(int(frame["receipt-id"])))
        self.confirmed += 1


class Consumer(_Worker):
    """Takes messages and acknowledges each.

    Args:
        broker: The daemon, which runs.
        destination: Where from.
        rate: Messages a second; None for as fast as they come.
        prefetch: How many may be out.
    """

    def __init__(
        self, broker: BrokerProcess, destination: str, *, rate: float | None = None, prefetch: int = 100
    ) -> None:
        super().__init__(broker)
        self.rate = rate
        self.taken = 0
        self.numbers: list[int] = []
        self.latencies: list[float] = []
        self.client.subscribe(destination, wait=False, headers={"prefetch-count": str(prefetch)})

    def work(self) -> None:
        began = time.monotonic()
        while not self._stop_asked.is_set():
            if self.rate is not None and (wait := began + self.taken / self.rate - time.monotonic()) > 0:
                self._stop_asked.wait(min(wait, _POLL_SECONDS))
                continue
            try:
                frame = self.client.receive(_POLL_SECONDS)
            except NothingArrived:
                continue
            due, number = _HEAD.unpack_from(frame.body)
            self.latencies.append(time.monotonic() - due)
            self.numbers.append(number)
            self.client.ack(frame)
            self.taken += 1
        self.client.publish("/topic/fence", receipt="fence")
        while (frame := self.client.receive()).command == "MESSAGE":
            continue
        assert frame["receipt-id"] == "fence", frame


def fill(broker: BrokerProcess, destination: str, count: int, *, body_bytes: int = 256, block: int = 1000) -> None:
    """Put so many messages onto a queue as fast as the broker takes them; each block is confirmed by a receipt."""
    client = broker.client()
    frame = f"SEND\ndestination:{destination}\ncontent-length:{body_bytes}\n\n".encode() + bytes(body_bytes) + b"\0"
    last = frame.replace(b"\ncontent-length", b"\nreceipt:block\ncontent-length")
    blocks = -(-count // block)
    confirmed = 0
    for number in range(blocks):
        client.send_bytes(frame * (block - 1) + last)
        while number - confirmed >= 20:
            client.expect_receipt("block")
            confirmed += 1
    while confirmed < blocks:
        client.expect_receipt("block")
        confirmed += 1
    client.disconnect()


class _MemoryWatch(threading.Thread):
    """Writes down the daemon's resident memory once a second."""

    def __init__(self, broker: BrokerProcess) -> None:
        super().__init__(daemon=True)
        self.broker = broker
        self.samples: list[tuple[float, int]] = []
        self._stop_asked = threading.Event()
        self._began = time.monotonic()

    def run(self) -> None:
        while not self._stop_asked.wait(1.0):
            try:
                self.samples.append((time.monotonic() - self._began, self.broker.resident_bytes()))
            except (OSError, AssertionError, ConnectionEnded):
                return

    def finish(self) -> list[tuple[float, int]]:
        self._stop_asked.set()
        self.join()
        return self.samples


def watch_memory(broker: BrokerProcess) -> _MemoryWatch:
    """Start to write down the daemon's memory; `finish` returns seconds and octets."""
    watch = _MemoryWatch(broker)
    watch.start()
    return watch
