"""A message of a push queue from when it is taken until it is settled."""

from __future__ import annotations

from collections.abc import Callable

from segue.protocols.push.message import PushMessage
from segue.protocols.push.source import Arrival
from segue.protocols.push.tries import Tries

__all__ = ["Held"]


class Held:
    """A message that was taken.

    Attributes:
        message, tries: see there.
        arrival: what settles it; None while it is on its way to the queue of the tried.
        was_tried: it is from there, or on its way.
        changed: its tries are not as they were written.
        told: to be called when what has happened is in the open batch.
    """

    __slots__ = ("arrival", "changed", "message", "told", "tries", "was_tried")

    def __init__(self, message: PushMessage, tries: Tries, arrival: Arrival) -> None:
        self.message = message
        self.tries = tries
        self.arrival: Arrival | None = arrival
        self.was_tried = False
        self.changed = False
        self.told: list[Callable[[], None]] = []

    def tell(self) -> None:
        """What has happened is in the open batch."""
        told, self.told = self.told, []
        for call in told:
            call()
