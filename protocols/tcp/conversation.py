"""The port that a protocol's session implements to be carried by a connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

__all__ = ["Conversation"]


class Conversation(Protocol):
    """One connection's protocol, without I/O. Every method is called on the event loop and returns at once.

    Attributes:
        finished: nothing more is to be read; what is in the output is sent, then the connection closes.
        login: set when a peer has to be authenticated: awaited by the connection before it reads on.
    """

    finished: bool
    login: Callable[[], Awaitable[None]] | None

    @property
    def thirsty(self) -> bool:
        """False while reading has to wait (publishers are held and what was put aside is much)."""

    def receive(self, data: bytes) -> None:
        """One read."""

    def end_of_input(self) -> None:
        """The peer has closed its side."""

    def go_on(self) -> None:
        """Publishers are no longer held."""

    def take_output(self) -> bytes:
        """Everything that is to be written."""

    def output_sent(self) -> None:
        """What the last `take_output` gave is with the kernel."""

    def output_stuck(self, size: int) -> None:
        """So many bytes of it are not."""

    def quiet(self) -> bool:
        """True when nothing is owed to the peer any more, receipts included."""

    def next_deadline(self, now: float) -> float:
        """When `deadline` wants to be called next, monotonic seconds; infinity for never."""

    def deadline(self, now: float) -> str:
        """A moment from `next_deadline` has come: may write; returns why to close, or an empty string."""

    def frame_late(self) -> None:
        """A frame is not done in time, and others wait for it: may say so, and is finished."""

    def closed_by_node(self, reason: str) -> None:
        """An operator or the end of the broker closes the connection: may say so."""

    def closed(self, reason: str) -> None:
        """The connection is gone."""
