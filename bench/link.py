"""One STOMP connection to the broker, logged in."""

from __future__ import annotations

from segue.bench import frames
from segue.bench.replies import BrokerError, FrameCutter, raise_error_frame
from segue.bench.stream import Stream
from segue.bench.target import Target

__all__ = ["Link"]


class Link(Stream):
    """A STOMP connection. `receive` gives whole frames; an ERROR raises BrokerError.

    Raises:
        BrokerError: the broker refused the login, or there is none at the address.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, target.timeout_seconds)
        self._cutter = FrameCutter()
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
                got += self._receive_blocking()
        except OSError as error:
            raise BrokerError(f"waiting for {answer.decode()}: {error.strerror or error}") from error
        return got

    def leave(self, timeout_seconds: float) -> None:
        """After DISCONNECT was sent: wait for its receipt, or the end, or so long; and close."""
        try:
            self._socket.settimeout(timeout_seconds)
            self._socket.sendall(self._out)
            while b"RECEIPT" not in self._receive_blocking():
                pass
        except (OSError, BrokerError):
            pass  # What counts has been counted; some brokers close without a word.
        self.close()

    def _whole(self, chunk: bytes) -> bytes:
        whole = self._cutter.feed(chunk)
        raise_error_frame(whole)
        return whole
