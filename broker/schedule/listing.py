"""Lists of what is scheduled: read from the logs when somebody asks, as nothing of it is in memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.scheduled_message import ScheduledMessage, ScheduleId, decode_scheduled, identity_of
from segue.broker.schedule.walk import Walk

if TYPE_CHECKING:
    from segue.broker.schedule.schedule import Schedule

__all__ = ["Found", "Listing", "find"]

_BYTES_AT_A_TIME: Final = 256 << 10
_EVER: Final = 1 << 62


class Found(NamedTuple):
    """A scheduled message, and where it is. Good for the step in which it was given.

    Attributes:
        due_ms: by the wall clock.
    """

    bucket: Bucket
    seq: int
    message: ScheduledMessage
    due_ms: int


class Listing:
    """Everything that waits, or a part of it: what is due soon before what is due later, in no exact order."""

    def __init__(self, schedule: Schedule, *, target: str = "", from_ms: int = 0, to_ms: int = _EVER) -> None:
        """`target`: as in `ScheduledMessage`, one of its lines; empty for all. `from_ms`, `to_ms`: due in this time."""
        self._schedule = schedule
        self._target = target
        self._from_ms, self._to_ms = from_ms, to_ms
        buckets = sorted(schedule.buckets(), key=lambda bucket: bucket.start_ms)
        self._walks = deque(map(Walk, buckets))

    async def chunk(self) -> list[Found] | None:
        """Some more of them, maybe none; None at the end.

        Raises:
            UnreadableError: what lies on disk can't be read.
        """
        while self._walks:
            walk = self._walks[0]
            if messages := await walk.chunk(_BYTES_AT_A_TIME):
                offset_ms = self._schedule.offset_ms(walk.bucket)
                found = [self._found(walk.bucket, seq, frame, offset_ms) for seq, frame in messages]
                return [one for one in found if self._wants(one)]
            self._walks.popleft()
        return None

    def _found(self, bucket: Bucket, seq: int, frame: bytes, offset_ms: int) -> Found:
        message = decode_scheduled(frame)
        return Found(bucket, seq, message, message.due_ms - offset_ms)

    def _wants(self, found: Found) -> bool:
        if not self._from_ms <= found.due_ms <= self._to_ms:
            return False
        return not self._target or self._target in found.message.targets.split("\n")


async def find(schedule: Schedule, identity: ScheduleId) -> Found | None:
    """The message that is called so; None when it is not there any more.

    Raises:
        UnreadableError: what lies on disk can't be read.
    """
    for bucket in schedule.buckets_of(identity):
        walk = Walk(bucket, only=identity.seq if bucket.log.id == identity.log else None)
        while messages := await walk.chunk(_BYTES_AT_A_TIME):
            for seq, frame in messages:
                if identity_of(frame) == identity:
                    message = decode_scheduled(frame)
                    return Found(bucket, seq, message, message.due_ms - schedule.offset_ms(bucket))
    return None
