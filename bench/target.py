"""What is measured: where the broker is, who we are there, and which queues are used."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HeaderList", "Target"]

HeaderList = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A STOMP broker and the queues on it.

    Attributes:
        destination: the queue; with more than one, `-0`, `-1` ... are put behind it.
        queues: how many.
        send_headers, subscribe_headers: what this broker wants besides, as (name, value).
        timeout_seconds: how long a connection attempt or a handshake may take.
    """

    host: str = "127.0.0.1"
    port: int = 61613
    login: str = "guest"
    passcode: str = "guest"
    virtual_host: str = "/"
    destination: str = "/queue/segue-bench"
    queues: int = 1
    send_headers: HeaderList = ()
    subscribe_headers: HeaderList = ()
    timeout_seconds: float = 60.0

    def queue(self, number: int) -> str:
        """The destination of queue `number`."""
        return self.destination if self.queues == 1 else f"{self.destination}-{number}"
