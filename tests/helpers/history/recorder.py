"""A STOMP client that writes its own history by the rules of `events`."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from tests.helpers.history.events import (
    AckConfirmed,
    AckSent,
    Delivered,
    Drained,
    Event,
    Lost,
    NackConfirmed,
    NackSent,
    Opened,
    PublishConfirmed,
    PublishSent,
    Subscribed,
    TransactionConfirmed,
    TransactionSent,
)
from tests.helpers.stomp_client import Address, ConnectionEnded, NothingArrived, StompClient, describe
from tests.helpers.stomp_frames import Frame

__all__ = ["Gone", "Held", "RecordingClient", "digest"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Which message of the history a body belongs to; the broker passes the header on, whatever it is called.
_NAME = "history-message"


class Gone(Exception):
    """The connection is over, and the history says so."""


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that waits for its acknowledgement."""

    number: int
    message: str
    frame: Frame


def digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


class RecordingClient:
    """One connection, logged in, that pipelines what it sends and enters what it sends and gets.

    Args:
        address: The broker.
        name: The connection's name, unique in the history.
        events: Where its events go; one thread writes there.

    Raises:
        Gone: From the constructor and every method, when the broker ended the connection.
    """

    def __init__(self, address: Address, name: str, events: list[Event], *, patience_seconds: float = 60.0) -> None:
        self.name = name
        self.held: deque[Held] = deque()
        self.unconfirmed = 0
        self.settled = 0
        self._events = events
        self._deliveries = 0
        self._over = False
        # Once DISCONNECT is sent, the broker may give what is out to others, whether its RECEIPT comes or not.
        self._leaving_since: float | None = None
        self._enter(Opened(at=time.monotonic(), connection=name))
        try:
            self._client = StompClient(address, patience_seconds=patience_seconds)
        except OSError as refused:
            raise self._lost() from refused
        try:
            self._guarded(self._client.send_connect)
            greeting = self._receive(patience_seconds)
            assert greeting.command == "CONNECTED", describe(greeting)
        except BaseException:
            # Nobody else has it; left to the garbage collector, it is the warning that fails a later test.
            self._client.close()
            raise

    def _enter(self, event: Event) -> None:
        self._events.append(event)

    def _lost(self) -> Gone:
        self._over = True
        self._enter(Lost(at=time.monotonic(), connection=self.name, by="broker", began=self._leaving_since))
        return Gone()

    def _guarded(self, action: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs) -> _R:
        """Do something on the socket; when the connection is over, say so in the history."""
        try:
            return action(*arguments, **options)
        except (ConnectionEnded, ConnectionError) as over:
            self._client.close()
            raise self._lost() from over

    # Sending -----------------------------------------------------------------------------------------------------

    def subscribe(self, queue: str, prefetch: int) -> None:
        self._enter(Subscribed(at=time.monotonic(), connection=self.name, queue=queue))
        headers = {"prefetch-count": str(prefetch)}
        self._guarded(self._client.subscribe, queue, wait=False, headers=headers)

    def publish(self, queue: str, message: str, body: bytes, *, transaction: str | None = None) -> None:
        self._enter(
            PublishSent(
                at=time.monotonic(),
                connection=self.name,
                queue=queue,
                message=message,
                digest=digest(body),
                transaction=transaction,
            )
        )
        receipt = None if transaction is not None else f"publish {message}"
        self.unconfirmed += receipt is not None
        headers = {_NAME: message}
        self._guarded(self._client.publish, queue, body, receipt=receipt, transaction=transaction, headers=headers)

    def ack(self, held: Held, *, transaction: str | None = None) -> None:
        self._enter(AckSent(at=time.monotonic(), connection=self.name, number=held.number, transaction=transaction))
        receipt = None if transaction is not None else f"ack {held.number}"
        self.unconfirmed += receipt is not None
        self._guarded(self._client.ack, held.frame, receipt=receipt, transaction=transaction)

    def nack(self, held: Held) -> None:
        self._enter(NackSent(at=time.monotonic(), connection=self.name, number=held.number))
        self.unconfirmed += 1
        self._guarded(self._client.nack, held.frame, receipt=f"nack {held.number}")

    def begin(self, transaction: str) -> None:
        self._guarded(self._client.begin, transaction)

    def commit(self, transaction: str) -> None:
        self._enter(
            TransactionSent(at=time.monotonic(), connection=self.name, transaction=transaction, outcome="commit")
        )
        self._end_transaction("COMMIT", transaction)

    def abort(self, transaction: str) -> None:
        self._enter(
            TransactionSent(at=time.monotonic(), connection=self.name, transaction=transaction, outcome="abort")
        )
        self._end_transaction("ABORT", transaction)

    def _end_transaction(self, command: str, transaction: str) -> None:
        self.unconfirmed += 1
        fields = {"transaction": transaction, "receipt": f"transaction {transaction}"}
        self._guarded(self._client.send_frame, command, fields)

    # Receiving ---------------------------------------------------------------------------------------------------

    def pump(self, timeout_seconds: float) -> bool:
        """Read one frame and enter it; return False when none came in time."""
        try:
            frame = self._receive(timeout_seconds)
        except NothingArrived:
            return False
        if frame.command == "MESSAGE":
            self._deliver(frame)
        else:
            self._confirm(frame["receipt-id"])
        return True

    def _receive(self, timeout_seconds: float) -> Frame:
        """Return what comes next; the one ERROR that may come here is the broker's good-bye."""
        frame = self._guarded(self._client.receive, timeout_seconds)
        if frame.command == "ERROR" and frame.get("error-code") == "shutting-down":
            self._client.close()
            raise self._lost()
        if frame.command == "ERROR":
            raise AssertionError(f"{self.name} got {describe(frame)}")
        return frame

    def _deliver(self, frame: Frame) -> None:
        self._deliveries += 1
        count = frame.get("x-delivery-count")
        event = Delivered(
            at=time.monotonic(),
            connection=self.name,
            queue=frame["destination"],
            message=frame.get(_NAME) or f"unnamed {frame['message-id']}",
            digest=digest(frame.body),
            number=self._deliveries,
            redelivered=frame["redelivered"] == "true",
            delivery_count=None if count is None else int(count),
        )
        self._enter(event)
        self.held.append(Held(self._deliveries, event.message, frame))

    def _confirm(self, receipt: str) -> None:
        kind, _, name = receipt.partition(" ")
        at = time.monotonic()
        self.unconfirmed -= 1
        match kind:
            case "publish":
                self._enter(PublishConfirmed(at=at, connection=self.name, message=name))
            case "ack":
                self.settled += 1
                self._enter(AckConfirmed(at=at, connection=self.name, number=int(name)))
            case "nack":
                self._enter(NackConfirmed(at=at, connection=self.name, number=int(name)))
            case "transaction":
                self._enter(TransactionConfirmed(at=at, connection=self.name, transaction=name))
            case _:
                raise AssertionError(f"{self.name} got a receipt that it never asked for: {receipt!r}")

    def drained(self, queue: str) -> None:
        self._enter(Drained(at=time.monotonic(), connection=self.name, queue=queue))

    # Ending ------------------------------------------------------------------------------------------------------

    def vanish(self) -> None:
        """Close without a word."""
        if not self._over:
            self._over = True
            self._enter(Lost(at=time.monotonic(), connection=self.name, by="client"))
            self._client.close()

    def disconnect(self) -> None:
        """Leave in order: DISCONNECT, then read to its receipt."""
        began = self._leaving_since = time.monotonic()
        self._guarded(self._client.send_frame, "DISCONNECT", {"receipt": "bye"})
        while (frame := self._read_to_the_end())["receipt-id"] != "bye":
            self._confirm(frame["receipt-id"])
        self._over = True
        self._enter(Lost(at=time.monotonic(), connection=self.name, by="client", began=began, settled=True))
        self._client.close()

    def _read_to_the_end(self) -> Frame:
        while True:
            frame = self._receive(self._client.patience_seconds)
            if frame.command == "RECEIPT":
                return frame
            self._deliver(frame)
