"""Writes a history line by line, for tests of the checker: one line an event, and the clock ticks once a line."""

from __future__ import annotations

from typing import Literal

from tests.helpers.history.events import (
    AckConfirmed,
    AckSent,
    BrokerEnded,
    BrokerStarted,
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

__all__ = ["Story"]

_OPERATOR = "operator"


class Story:
    """A history under construction; who is `alive` has opened and not left."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.alive: set[str] = set()
        self._ticks = 0
        self._deliveries = 0
        self._leaving: dict[str, float] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def now(self) -> float:
        self._ticks += 1
        return float(self._ticks)

    def broker_started(self) -> None:
        self.events.append(BrokerStarted(at=self.now(), connection=_OPERATOR))

    def killed(self, *not_alive: str) -> None:
        """`kill -9`; everybody who is alive sees it."""
        began = self.now()
        for name in sorted(self.alive - set(not_alive)):
            self.lost(name)
        self.broker_killed(began)

    def broker_killed(self, began: float) -> None:
        self.events.append(BrokerEnded(at=self.now(), connection=_OPERATOR, began=began, killed=True))

    def opened(self, name: str) -> None:
        self.alive.add(name)
        self.events.append(Opened(at=self.now(), connection=name))

    def subscribed(self, name: str, queue: str) -> None:
        self.opened(name)
        self.subscribed_to(name, queue)

    def subscribed_to(self, name: str, queue: str) -> None:
        self.events.append(Subscribed(at=self.now(), connection=name, queue=queue))

    def left(self, name: str, *, settled: bool = False) -> None:
        """The client closes, or sends DISCONNECT and waits for the receipt (`settled`)."""
        began = self._leaving.pop(name, None) or self.now() if settled else None
        self.alive.discard(name)
        self.events.append(Lost(at=self.now(), connection=name, by="client", began=began, settled=settled))

    def lost(self, name: str, *, leaving: bool = False) -> None:
        """The client finds its connection gone, perhaps while it waits for the receipt of its DISCONNECT."""
        began = self._leaving.pop(name, None) if leaving else None
        self.alive.discard(name)
        self.events.append(Lost(at=self.now(), connection=name, by="broker", began=began))

    def leaving(self, name: str) -> None:
        """DISCONNECT is about to leave."""
        self._leaving[name] = self.now()

    def sent(self, name: str, message: str, *, queue: str = "q", transaction: str | None = None) -> None:
        self.events.append(
            PublishSent(
                at=self.now(), connection=name, queue=queue, message=message, digest=message, transaction=transaction
            )
        )

    def published(self, name: str, message: str, *, queue: str = "q") -> None:
        self.sent(name, message, queue=queue)
        self.confirmed(name, message)

    def confirmed(self, name: str, message: str) -> None:
        self.events.append(PublishConfirmed(at=self.now(), connection=name, message=message))

    def delivered(
        self,
        name: str,
        message: str,
        *,
        queue: str = "q",
        digest: str | None = None,
        redelivered: bool = False,
        count: int | None = None,
    ) -> None:
        self._deliveries += 1
        number = self._numbers[name, message] = self._deliveries
        self.events.append(
            Delivered(
                at=self.now(),
                connection=name,
                queue=queue,
                message=message,
                digest=message if digest is None else digest,
                number=number,
                redelivered=redelivered,
                delivery_count=count,
            )
        )

    def acked(self, name: str, message: str) -> None:
        self.ack_sent(name, message)
        self.ack_confirmed(name, message)

    def ack_sent(self, name: str, message: str, *, transaction: str | None = None) -> None:
        number = self._numbers[name, message]
        self.events.append(AckSent(at=self.now(), connection=name, number=number, transaction=transaction))

    def ack_confirmed(self, name: str, message: str) -> None:
        self.events.append(AckConfirmed(at=self.now(), connection=name, number=self._numbers[name, message]))

    def nacked(self, name: str, message: str) -> None:
        self.nack_sent(name, message)
        self.nack_confirmed(name, message)

    def nack_sent(self, name: str, message: str) -> None:
        self.events.append(NackSent(at=self.now(), connection=name, number=self._numbers[name, message]))

    def nack_confirmed(self, name: str, message: str) -> None:
        self.events.append(NackConfirmed(at=self.now(), connection=name, number=self._numbers[name, message]))

    def committed(self, name: str, transaction: str) -> None:
        self.commit_sent(name, transaction)
        self.transaction_confirmed(name, transaction)

    def commit_sent(self, name: str, transaction: str) -> None:
        self.ending(name, transaction, "commit")

    def aborted(self, name: str, transaction: str) -> None:
        self.ending(name, transaction, "abort")
        self.transaction_confirmed(name, transaction)

    def ending(self, name: str, transaction: str, outcome: Literal["commit", "abort"]) -> None:
        self.events.append(TransactionSent(at=self.now(), connection=name, transaction=transaction, outcome=outcome))

    def transaction_confirmed(self, name: str, transaction: str) -> None:
        self.events.append(TransactionConfirmed(at=self.now(), connection=name, transaction=transaction))

    def drained(self, name: str, queue: str) -> None:
        self.events.append(Drained(at=self.now(), connection=name, queue=queue))
