"""One connection to the broker: a non-blocking socket with an output buffer, logged in."""

from __future__ import annotations

import socket

from segue.bench import frames
from segue.bench.replies import BrokerError, FrameCutter, raise_error_frame
from segue.bench.target import Target

__all__ = ["Link"]

# As much as a socket buffer holds: a broker that sends much is read with few calls. One for all links: a run is one
# thread. Reading into new bytes of this size costs twice the time, because malloc asks the kernel for them each time.
_READ_BUFFER = memoryview(bytearray(256 * 1024))


class Link:
    """A STOMP connection.

    It is opened and set up with blocking calls (`request`), one after the other, and then switched to non-blocking by
    the loop that it is added to. `receive` and `send` never wait.

    Raises:
        BrokerError: the broker refused the login, or there is none at the address.
    """

    def __init__(self, target: Target) -> None:
        try:
            self._socket = socket.create_connection((target.host, target.port), target.timeout_seconds)
        except OSError as error:
            raise BrokerError(f"{target.host}:{target.port}: {error.strerror or error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._cutter = FrameCutter()
        self._out = bytearray()
        try:
            self.request(frames.connect(target.login, target.passcode, target.virtual_host), b"CONNECTED")
        except BrokerError:
            self.close()
            raise

    def request(self, frame: bytes, answer: bytes) -> bytes:
        """Send a frame and wait for a read that holds the answer; return all whole frames up to then.

        Raises:
            BrokerError: an ERROR, the end of the connection, or nothing within the target's `timeout_seconds`.
        """
        got = b""
        try:
            self._socket.sendall(frame)
            while answer not in got:
                got += self._read_blocking()
        except OSError as error:
            raise BrokerError(f"waiting for {answer.decode()}: {error.strerror or error}") from error
        return got

    def start(self) -> int:
        """Switch to non-blocking; return the file descriptor."""
        self._socket.setblocking(False)
        return self._socket.fileno()

    def receive(self) -> bytes:
        """The whole frames that one read brings, empty when there are none yet.

        Raises:
            BrokerError: the broker closed the connection or sent ERROR.
        """
        try:
            chunk = self._read()
        except BlockingIOError:
            return b""
        except OSError as error:
            raise BrokerError(f"connection lost: {error.strerror or error}") from error
        return self._whole(chunk)

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

    def leave(self, timeout_seconds: float) -> None:
        """After DISCONNECT was sent: wait for its receipt, or the end, or so long; and close."""
        try:
            self._socket.settimeout(timeout_seconds)
            self._socket.sendall(self._out)
            while b"RECEIPT" not in self._read_blocking():
                pass
        except (OSError, BrokerError):
            pass  # What counts has been counted; some brokers close without a word.
        self.close()

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

    def _read_blocking(self) -> bytes:
        return self._whole(self._read())

    def _read(self) -> bytes:
        return bytes(_READ_BUFFER[: self._socket.recv_into(_READ_BUFFER)])

    def _whole(self, chunk: bytes) -> bytes:
        if not chunk:
            raise BrokerError("the broker closed the connection")
        whole = self._cutter.feed(chunk)
        raise_error_frame(whole)
        return whole
