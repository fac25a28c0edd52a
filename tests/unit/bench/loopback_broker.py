"""A broker of a few lines, in memory, on a loopback port: it can be told to lose, repeat and reorder messages.

It shows that the load generator counts right, and that its checks find what they are for. It is no model of a broker.

    python -m tests.unit.bench.loopback_broker PORT FILE

runs it as a process that finds the messages in FILE again when it is started again, those that were taken as well.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.bench.target import Target

__all__ = ["LoopbackBroker", "client_frames", "loopback_broker"]

Bodies = list[bytes]


def client_frames(data: bytes) -> list[tuple[str, dict[str, str], bytes]]:
    """(command, headers, body) of frames without NUL in their bodies; values stay escaped."""
    return [_frame(part.lstrip(b"\n")) for part in data.split(b"\0")[:-1]]


def _frame(part: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = part.partition(b"\n\n")
    command, *lines = head.decode().split("\n")
    return command, dict(line.split(":", 1) for line in lines), body


class LoopbackBroker:
    """Queues in memory.

    Args:
        fault: what is done to the messages that wait when a consumer subscribes.
        refuse: an ERROR is the answer to this command.
        silent: no receipt is ever given for SEND.
        port: where it listens, 0 for any.
        kept: a file with the messages of all queues.
    """

    def __init__(
        self,
        fault: Callable[[Bodies], Bodies] | None = None,
        refuse: str = "",
        silent: bool = False,
        port: int = 0,
        kept: Path | None = None,
    ) -> None:
        self._fault = fault
        self._refuse = refuse
        self._silent = silent
        self._lock = threading.Lock()
        self._subscribers: dict[str, tuple[socket.socket, str]] = {}
        self._deliveries = 0
        self._kept = kept
        self.waiting: dict[str, Bodies] = {}
        for line in kept.read_bytes().splitlines() if kept is not None and kept.exists() else ():
            queue, _, body = line.partition(b" ")
            self.waiting.setdefault(queue.decode(), []).append(body)
        self.acknowledged: list[str] = []
        self.subscribed: list[dict[str, str]] = []
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]

    def accept(self) -> None:
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        pending = b""
        with peer:
            while chunk := peer.recv(65536):
                whole, nul, pending = (pending + chunk).rpartition(b"\0")
                with self._lock:
                    answers = [self._answer(peer, *frame) for frame in client_frames(whole + nul)]
                    peer.sendall(b"".join(answers))

    def _answer(self, peer: socket.socket, command: str, headers: dict[str, str], body: bytes) -> bytes:
        if command == self._refuse:
            return b"ERROR\nmessage:refused\n\nnot today\0\n"
        if command == "CONNECT":
            return b"CONNECTED\nversion:1.2\n\n\0\n"
        if command == "ACK":
            self.acknowledged.append(headers["id"])
        receipt = f"RECEIPT\nreceipt-id:{headers['receipt']}\n\n\0\n".encode() if "receipt" in headers else b""
        if command == "SUBSCRIBE":
            return receipt + self._subscribe(peer, headers)
        if command == "SEND":
            self._publish(headers["destination"], body)
            if self._kept is not None:
                with self._kept.open("ab") as file:
                    file.write(headers["destination"].encode() + b" " + body + b"\n")
            return b"" if self._silent else receipt
        return receipt

    def _subscribe(self, peer: socket.socket, headers: dict[str, str]) -> bytes:
        self.subscribed.append(headers)
        queue = headers["destination"]
        self._subscribers[queue] = (peer, headers["id"])
        bodies = self.waiting.pop(queue, [])
        return b"".join(self._message(headers["id"], body) for body in (self._fault or list)(bodies))

    def _publish(self, queue: str, body: bytes) -> None:
        if queue in self._subscribers:
            peer, identity = self._subscribers[queue]
            peer.sendall(self._message(identity, body))
        else:
            self.waiting.setdefault(queue, []).append(body)

    def _message(self, subscription: str, body: bytes) -> bytes:
        self._deliveries += 1
        head = f"MESSAGE\nsubscription:{subscription}\nmessage-id:{self._deliveries}\nack:{self._deliveries}\n"
        return head.encode() + b"content-length:%d\n\n" % len(body) + body + b"\0\n"

    def target(self, queues: int = 1) -> Target:
        return Target(port=self.port, queues=queues, timeout_seconds=60)

    def numbers(self, queue: str) -> list[int]:
        """The numbers of the messages that wait."""
        return [int(re.findall(rb"^#\d{9}(\d{9}) ", body)[0]) for body in self.waiting.get(queue, [])]


@contextmanager
def loopback_broker(
    fault: Callable[[Bodies], Bodies] | None = None, refuse: str = "", silent: bool = False
) -> Iterator[LoopbackBroker]:
    """A broker that listens for the length of the block."""
    broker = LoopbackBroker(fault, refuse, silent)
    acceptor = threading.Thread(target=broker.accept, daemon=True)
    acceptor.start()
    try:
        yield broker
    finally:
        broker.listener.shutdown(socket.SHUT_RDWR)
        broker.listener.close()
        acceptor.join()


if __name__ == "__main__":
    LoopbackBroker(port=int(sys.argv[1]), kept=Path(sys.argv[2])).accept()
