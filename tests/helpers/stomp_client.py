"""A raw STOMP client over a blocking socket, with the verbs that tests are written in.

It sends exactly what it is told to, keeps what arrives in the order of arrival, and fails with the server's own words
when an ERROR comes where none was expected. It beats no heart and reconnects never: a test that wants such things does
them in plain sight.

A test that has to show that *nothing* came does not wait: `expect_no_message` asks for a receipt and looks at what
arrived before it.
"""

from __future__ import annotations

import itertools
import socket
import struct
import time
from collections import deque
from types import TracebackType
from typing import Self

from tests.helpers.stomp_frames import Frame, FrameReader, encode_frame

__all__ = ["Address", "ConnectionEnded", "NothingArrived", "StompClient", "UnexpectedFrame"]

Address = tuple[str, int]

_RECEIVE_BYTES = 256 * 1024
# Long enough for a daemon that shares two cores with a whole test run; nothing waits so long unless it fails.
_PATIENCE_SECONDS = 60.0


class NothingArrived(AssertionError):
    """The server stayed silent for longer than the test's patience."""


class UnexpectedFrame(AssertionError):
    """The server sent another frame than the one that has to come next."""


class ConnectionEnded(Exception):
    """The server closed the connection.

    Args:
        reset: True when it ended with a reset instead of an orderly end of stream.
        rest: What had arrived of a frame that never became whole.
    """

    def __init__(self, *, reset: bool, rest: bytes) -> None:
        super().__init__(f"connection {'reset' if reset else 'closed'} by the broker, {len(rest)} octets left over")
        self.reset = reset
        self.rest = rest


class StompClient:
    """One connection to a broker.

    Args:
        address: Host and port of a STOMP listener.
        source: The address to connect from, to be somebody else on a machine that has all of 127.0.0.0/8.
        receive_buffer_bytes: Size of the kernel's receive buffer, for tests of clients that do not read.
        patience_seconds: How long a read may wait before the test fails.
    """

    def __init__(
        self,
        address: Address,
        *,
        source: str | None = None,
        receive_buffer_bytes: int | None = None,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.settimeout(patience_seconds)
        try:
            if receive_buffer_bytes is not None:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            if source is not None:
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.patience_seconds = patience_seconds
        self.reader = FrameReader()
        self.connected: Frame | None = None
        self._arrived: deque[Frame] = deque()
        self._receipts = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Sending -----------------------------------------------------------------------------------------------------

    def send_bytes(self, data: bytes) -> None:
        self.socket.settimeout(self.patience_seconds)
        self.socket.sendall(data)

    def send_frame(self, command: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_bytes(encode_frame(command, (headers or {}).items(), body, version=self.reader.version))

    def connect(
        self,
        version: str | None = "1.2",
        *,
        login: str | None = "guest",
        passcode: str | None = "guest",
        command: str = "CONNECT",
        **headers: str,
    ) -> Frame:
        """Log in and return CONNECTED; `version` None offers none, which means 1.0."""
        self.send_connect(version, login=login, passcode=passcode, command=command, **headers)
        frame = self.expect("CONNECTED")
        self.reader.version = frame.get("version") or "1.0"
        self.connected = frame
        return frame

    def send_connect(
        self,
        version: str | None = "1.2",
        *,
        login: str | None = "guest",
        passcode: str | None = "guest",
        command: str = "CONNECT",
        **headers: str,
    ) -> None:
        fields = {"accept-version": version, "host": "/" if version else None, "login": login, "passcode": passcode}
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.send_frame(command, {name: value for name, value in fields.items() if value is not None})

    def publish(
        self,
        destination: str,
        body: bytes = b"",
        *,
        receipt: str | None = None,
        transaction: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        fields = {"destination": destination, "content-length": str(len(body)), **(headers or {})}
        self._send_with(fields, receipt=receipt, transaction=transaction, command="SEND", body=body)

    def publish_confirmed(
        self, destination: str, body: bytes = b"", *, headers: dict[str, str] | None = None, **more: str
    ) -> None:
        """Publish and wait for the receipt: when this returns, the message is on disk."""
        receipt = self.new_receipt()
        self.publish(destination, body, receipt=receipt, headers={**(headers or {}), **more})
        self.expect_receipt(receipt)

    def subscribe(
        self,
        destination: str,
        *,
        id: str | None = "0",
        ack: str | None = "client-individual",
        wait: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        fields = {"destination": destination, "id": id, "ack": ack, **(headers or {})}
        present = {name: value for name, value in fields.items() if value is not None}
        self._send_with(present, receipt=self.new_receipt() if wait else None, command="SUBSCRIBE", wait=wait)

    def unsubscribe(self, id: str = "0", *, headers: dict[str, str] | None = None) -> None:
        self._send_with({"id": id, **(headers or {})}, receipt=self.new_receipt(), command="UNSUBSCRIBE", wait=True)

    def ack(
        self, message: Frame, *, receipt: str | None = None, transaction: str | None = None, wait: bool = False
    ) -> None:
        self._settle("ACK", message, receipt, transaction, wait, {})

    def nack(
        self,
        message: Frame,
        *,
        receipt: str | None = None,
        transaction: str | None = None,
        wait: bool = False,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._settle("NACK", message, receipt, transaction, wait, headers or {})

    def _settle(
        self,
        command: str,
        message: Frame,
        receipt: str | None,
        transaction: str | None,
        wait: bool,
        headers: dict[str, str],
    ) -> None:
        if wait and receipt is None:
            receipt = self.new_receipt()
        fields = self.settle_headers(message) | headers
        self._send_with(fields, receipt=receipt, transaction=transaction, command=command, wait=wait)

    def settle_headers(self, message: Frame) -> dict[str, str]:
        """What names a delivery in an ACK or NACK of this connection's version."""
        if self.reader.version == "1.2":
            return {"id": message["ack"]}
        named = {"message-id": message["message-id"]}
        if "subscription" in message:
            named["subscription"] = message["subscription"]
        return named

    def begin(self, transaction: str, *, wait: bool = False) -> None:
        self._in_transaction("BEGIN", transaction, wait)

    def commit(self, transaction: str, *, wait: bool = True) -> None:
        self._in_transaction("COMMIT", transaction, wait)

    def abort(self, transaction: str, *, wait: bool = True) -> None:
        self._in_transaction("ABORT", transaction, wait)

    def _in_transaction(self, command: str, transaction: str, wait: bool) -> None:
        self._send_with(
            {"transaction": transaction}, receipt=self.new_receipt() if wait else None, command=command, wait=wait
        )

    def _send_with(
        self,
        fields: dict[str, str],
        *,
        command: str,
        receipt: str | None = None,
        transaction: str | None = None,
        wait: bool = False,
        body: bytes = b"",
    ) -> None:
        if transaction is not None:
            fields["transaction"] = transaction
        if receipt is not None:
            fields["receipt"] = receipt
        self.send_frame(command, fields, body)
        if wait and receipt is not None:
            self.expect_receipt(receipt)

    def new_receipt(self) -> str:
        return f"receipt-{next(self._receipts)}"

    # Receiving ---------------------------------------------------------------------------------------------------

    def receive(self, timeout_seconds: float | None = None) -> Frame:
        """Return the next frame, whatever it is.

        Raises:
            NothingArrived: Nothing came in time.
            ConnectionEnded: The broker closed the connection.
        """
        if not self._arrived:
            self._fill(self.patience_seconds if timeout_seconds is None else timeout_seconds)
        return self._arrived.popleft()

    def receive_arrived(self) -> Frame | None:
        """Return the next of the frames that were read together with the last one; None when that was all."""
        return self._arrived.popleft() if self._arrived else None

    def _fill(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not self._arrived:
            self._arrived.extend(self.reader.feed(self._receive_bytes(deadline)))

    def _receive_bytes(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        try:
            self.socket.settimeout(max(left, 0.001))
            data = self.socket.recv(_RECEIVE_BYTES)
        except TimeoutError:
            raise NothingArrived(f"waited; {self.reader.pending[:200]!r} of a frame so far") from None
        except (ConnectionResetError, BrokenPipeError):
            raise ConnectionEnded(reset=True, rest=self.reader.pending) from None
        if not data:
            raise ConnectionEnded(reset=False, rest=self.reader.pending)
        return data

    def expect(self, command: str) -> Frame:
        """Return the next frame, which has to be a `command`."""
        frame = self.receive()
        if frame.command != command:
            raise UnexpectedFrame(f"expected {command}, got {describe(frame)}")
        return frame

    def expect_receipt(self, receipt: str) -> Frame:
        """Return this receipt; a MESSAGE may overtake it and is kept, another receipt may not."""
        overtaking: list[Frame] = []
        while (frame := self.receive()).command == "MESSAGE":
            overtaking.append(frame)
        self._arrived.extendleft(reversed(overtaking))
        if frame.command != "RECEIPT" or frame["receipt-id"] != receipt:
            raise UnexpectedFrame(f"expected the receipt {receipt}, got {describe(frame)}")
        return frame

    def expect_message(self, body: bytes | None = None, **headers: str) -> Frame:
        """Return the next frame, a MESSAGE with this body and these headers (`_` for `-`)."""
        frame = self.expect("MESSAGE")
        assert body is None or frame.body == body, f"expected the body {body[:80]!r}, got {describe(frame)}"
        for name, value in headers.items():
            assert frame.get(name.replace("_", "-")) == value, f"expected {name}: {value} in {describe(frame)}"
        return frame

    def expect_messages(self, *bodies: bytes) -> list[Frame]:
        """Return the next messages, which have these bodies in this order."""
        return [self.expect_message(body) for body in bodies]

    def expect_no_message(self) -> None:
        """Show that no MESSAGE is on its way: none comes before the receipt of what is sent now."""
        fence = self.new_receipt()
        self.publish("/topic/fence", receipt=fence)
        self.expect_receipt(fence)
        late = [frame for frame in self._arrived if frame.command == "MESSAGE"]
        assert not late, f"expected no message, got {describe(late[0])}"

    def expect_error(self, message: str | None = None) -> Frame:
        """Return the ERROR that comes next (a MESSAGE before it is dropped), and see that the connection ends with it.

        Args:
            message: What the `message` header has to hold, in part, upper or lower case.
        """
        while (frame := self.receive()).command == "MESSAGE":
            continue
        if frame.command != "ERROR":
            raise UnexpectedFrame(f"expected ERROR, got {describe(frame)}")
        assert frame.get("message"), f"an ERROR has to say why: {describe(frame)}"
        if message is not None:
            assert message.lower() in frame["message"].lower(), describe(frame)
        self.expect_end()
        return frame

    def expect_end(self) -> None:
        """See that the broker closes the connection without another frame and without a reset."""
        end = self.wait_end()
        assert not end.reset, "the connection was reset: the last frame may not have reached its reader"
        assert not end.rest, f"the connection ended inside a frame: {end.rest[:200]!r}"

    def wait_end(self, timeout_seconds: float | None = None) -> ConnectionEnded:
        """Return how the connection ended; no frame may come before that."""
        try:
            frame = self.receive(timeout_seconds)
        except ConnectionEnded as end:
            return end
        raise UnexpectedFrame(f"expected the end of the connection, got {describe(frame)}")

    def read_to_end(self, timeout_seconds: float | None = None) -> list[Frame]:
        """Return every frame until the connection ends; each may take so long."""
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self.receive(timeout_seconds))
            except ConnectionEnded:
                return frames

    # Ending ------------------------------------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Leave in order: DISCONNECT, its receipt, end of stream."""
        receipt = self.new_receipt()
        self.send_frame("DISCONNECT", {"receipt": receipt})
        self.expect_receipt(receipt)
        self.close()

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a TCP reset, as a client does whose machine gives up on it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


def describe(frame: Frame) -> str:
    """A frame in one line, for the message of a failed test."""
    headers = ", ".join(f"{name}: {value}" for name, value in frame.headers)
    return f"{frame.command} [{headers}] {frame.body[:300]!r}"
