"""One connection to a broker: a TCP socket with an output buffer. What is whole of what comes, protocols say."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod

from segue.bench.replies import BrokerError

__all__ = ["Stream"]

# As much as a socket buffer holds: a broker that sends much is read with few calls. One for all streams: a run is one
# thread. Reading into new bytes of this size costs twice the time, because malloc asks the kernel for them each time.
_READ_BUFFER = memoryview(bytearray(256 * 1024))


class Stream(ABC):
    """A connection.

    It is opened and set up with blocking calls, one after the other, and then switched to non-blocking by the loop that
    it is added to. `receive` and `send` never wait from then on.

    Raises:
        BrokerError: there is no broker at the address.
    """

    def __init__(self, host: str, port: int, timeout_seconds: float) -> None:
        try:
            self._socket = socket.create_connection((host, port), timeout_seconds)
        except OSError as error:
            raise BrokerError(f"{host}:{port}: {error.strerror or error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._out = bytearray()

    @abstractmethod
    def _whole(self, chunk: bytes) -> bytes:
        """What has become whole with what was read now; empty if nothing has.

        Raises:
            BrokerError: the broker says that something went wrong, or what it says is none of the protocol's.
        """

    def start(self) -> int:
        """Switch to non-blocking; return the file descriptor."""
        self._socket.setblocking(False)
        return self._socket.fileno()

    def receive(self) -> bytes:
        """What one read makes whole, empty when nothing is yet.

        Raises:
            BrokerError: the broker closed the connection or sent an error.
        """
        try:
            return self._receive_blocking()
        except BlockingIOError:
            return b""
        except OSError as error:
            raise BrokerError(f"connection lost: {error.strerror or error}") from error

    def send(self, data: bytes) -> None:
        """Give data to the kernel; what it does not take is kept (`backed_up`) until `flush`."""
        if self._out:
            self._out += data
            return
        sent = self._send_some(data)
        if sent < len(data):
            self._out += memoryview(data)[sent:]

    @property
    def backed_up(self) -> bool:
        """Whether data waits for the kernel: then nobody should make more."""
        return bool(self._out)

    def flush(self) -> None:
        """Give the kernel what waits."""
        if self._out:
            del self._out[: self._send_some(self._out)]

    def close(self) -> None:
        """Close at once; calling it again does nothing."""
        self._socket.close()

    def _send_some(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise BrokerError(f"connection lost: {error.strerror or error}") from error

    def _receive_blocking(self) -> bytes:
        chunk = bytes(_READ_BUFFER[: self._socket.recv_into(_READ_BUFFER)])
        if not chunk:
            raise BrokerError("the broker closed the connection")
        return self._whole(chunk)
