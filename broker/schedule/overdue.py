"""Messages whose time has come, and whose queue is full: they wait in a line of their own, and hold up nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.handing_on import hand_on
from segue.broker.schedule.scheduled_message import by_fate, decode_scheduled
from segue.storage.api import Log

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["Overdue"]

_AGAIN_SECONDS: Final = 1.0
_AT_A_TIME: Final = 64


class Overdue:
    """The line of one target, or of one list of targets, as long as there is anything in it.

    Attributes:
        targets: as in `ScheduledMessage`.
        bucket: where they are; it has no time.
        log: what else is due for these targets goes to its end.
    """

    def __init__(self, node: Node, log: Log) -> None:
        self._node = node
        self.bucket = Bucket(log, log.cursors[0], 0, 0)
        self._again_at = 0.0
        self._at_hand: list[tuple[int, bytes]] = []
        self.log = log
        self.targets = str(log.definition["targets"])

    @classmethod
    def create(cls, node: Node, targets: str) -> Overdue:
        """A new line. Durable with the open batch."""
        definition: dict[str, Any] = {"kind": "overdue", "targets": targets}
        log = node.store.create_log(definition)
        node.store.create_cursor(log, {"kind": "overdue"})
        overdue = cls(node, log)
        overdue._again_at = node.clock.monotonic() + _AGAIN_SECONDS
        return overdue

    @property
    def empty(self) -> bool:
        """True when it can go."""
        return self.bucket.empty

    def step(self) -> tuple[float, int]:
        """Hand on what there is room for now, some of it.

        Returns:
            Seconds until that is to be done again, and how many messages were handed on.
        """
        wait = self._again_at - self._node.clock.monotonic()
        if wait > 0:
            return wait, 0
        self._at_hand = [one for one in self._at_hand if one[0] in self.bucket.out] or self._read()
        done = self._hand_on()
        if done:
            self.bucket.settle([seq for seq, _ in self._at_hand[:done]])
            self._at_hand = self._at_hand[done:]
            self._node.store.want()
        if done and not self._at_hand:
            return 0, done
        self._again_at = self._node.clock.monotonic() + _AGAIN_SECONDS
        return _AGAIN_SECONDS, done

    def _hand_on(self) -> int:
        done = 0
        for run in by_fate([frame for _, frame in self._at_hand]):
            count, refusal = hand_on(self._node, decode_scheduled(run[0]), run)
            done += count
            if refusal:
                break
        return done

    def _read(self) -> list[tuple[int, bytes]]:
        found = self.bucket.read(_AT_A_TIME)
        self._node.schedule.census.seen(self.bucket, found)
        return found
