"""Requests over HTTP, each the same, as fast as they are answered: for any server that keeps connections open."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from dataclasses import dataclass

from segue.bench.answers import end_of_answer
from segue.bench.histogram import Histogram, Percentiles
from segue.bench.replies import BrokerError

__all__ = ["HttpLoad", "HttpResult", "request_wire", "run_requests"]

_PATIENCE_SECONDS = 60.0
_READ_BYTES = 256 << 10
_NANOSECONDS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class HttpLoad:
    """What a run does.

    Attributes:
        host, port: where the server is.
        wire: the octets of a request.
        connections: kept open all the while.
        window: requests that a connection has unanswered; more than one are pipelined.
        seconds: how long requests are sent.
    """

    host: str
    port: int
    wire: bytes
    connections: int = 1
    window: int = 1
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class HttpResult:
    """What came of it.

    Attributes:
        requests: that were answered, in any way.
        refused: answers from 400 up.
        seconds: from the first request to the last answer.
        latency: from a request to its answer.
        generator_cpu_seconds: that the load generator took.
        error: why the run ended before its time; empty if it did not.
    """

    requests: int
    refused: int
    seconds: float
    latency: Percentiles | None
    generator_cpu_seconds: float
    error: str

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else 0.0


def request_wire(method: str, path: str, host: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """The octets of a request."""
    length = [("Content-Length", str(len(body)))] if body else []
    lines = [f"{name}: {value}\r\n" for name, value in (("Host", host), *headers, *length)]
    return f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + body


def run_requests(load: HttpLoad) -> HttpResult:
    """Make one run. It always returns: what went wrong is in the result."""
    run = _Run(load)
    cpu, started = time.process_time(), time.monotonic_ns()
    error = ""
    try:
        run.connect()
        cpu, started = time.process_time(), time.monotonic_ns()
        run.go_on_until(started + int(load.seconds * _NANOSECONDS_PER_SECOND))
    except BrokerError as broken:
        error = str(broken)
    except OSError as broken:
        error = f"{load.host}:{load.port}: {broken.strerror or broken}"
    except KeyboardInterrupt:
        error = "interrupted"
    finally:
        run.close()
    seconds = (time.monotonic_ns() - started) / _NANOSECONDS_PER_SECOND
    latencies = run.latencies
    return HttpResult(latencies.count, run.refused, seconds, latencies.percentiles(), time.process_time() - cpu, error)


class _Run:
    def __init__(self, load: HttpLoad) -> None:
        self.latencies = Histogram()
        self._load = load
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}

    @property
    def refused(self) -> int:
        return sum(connection.refused for connection in self._connections.values())

    def connect(self) -> None:
        for _ in range(self._load.connections):
            connection = _Connection(self._load)
            self._connections[connection.descriptor] = connection
            self._epoll.register(connection.descriptor, select.EPOLLIN)

    def go_on_until(self, end: int) -> None:
        """Send until then, and wait for what is owed."""
        for connection in self._connections.values():
            connection.send(self._load.window)
        owed = self._load.window * len(self._connections)
        while owed:
            ready = self._epoll.poll(_PATIENCE_SECONDS)
            if not ready:
                raise BrokerError(f"no answer for {_PATIENCE_SECONDS:.0f} s")
            for descriptor, _ in ready:
                connection, now = self._connections[descriptor], time.monotonic_ns()
                answered = connection.receive(now, self.latencies)
                if now < end:
                    connection.send(answered)
                else:
                    owed -= answered

    def close(self) -> None:
        self._epoll.close()
        for connection in self._connections.values():
            connection.close()


class _Connection:
    """One that is kept open. Requests are small, so that the kernel takes them at once."""

    def __init__(self, load: HttpLoad) -> None:
        self.refused = 0
        self._wire = load.wire
        self._socket = socket.create_connection((load.host, load.port), _PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent_at: deque[int] = deque()
        self._received = b""

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    def send(self, count: int) -> None:
        if count:
            self._sent_at.extend([time.monotonic_ns()] * count)
            self._socket.sendall(self._wire * count)

    def receive(self, now: int, latencies: Histogram) -> int:
        """Take what has come; returns how many answers are whole with it."""
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise BrokerError("the server closed the connection")
        data = self._received + data
        pos = count = 0
        while end := end_of_answer(data, pos):
            self.refused += data[pos + 9 : pos + 10] >= b"4"  # HTTP/1.1 404
            latencies.record(now - self._sent_at.popleft())
            pos = end
            count += 1
        self._received = data[pos:]
        return count

    def close(self) -> None:
        self._socket.close()
