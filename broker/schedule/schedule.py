"""The schedule: what a node has to deliver later. It takes messages, and hands them on when it is time.

Two wheels, because clocks are set: delays are counted by the node's steady clock, times of day by the one on the wall.
When a message was accepted and when it expires is by its wheel's clock, too, as long as it waits. Nothing is done, and
nothing is in memory, in a broker that never had a delayed message.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.schedule.bucket import LEVELS, Bucket, span_of
from segue.broker.schedule.census import Census
from segue.broker.schedule.cron import Cron
from segue.broker.schedule.handing_on import hand_on
from segue.broker.schedule.overdue import Overdue
from segue.broker.schedule.repeat import ONCE, Repeat, put_ahead, restamped
from segue.broker.schedule.scheduled_message import (
    ScheduledMessage,
    ScheduleId,
    by_fate,
    decode_scheduled,
    encode_scheduled,
)
from segue.broker.schedule.slot import Slot
from segue.broker.schedule.wheel import Wheel
from segue.storage.api import Log

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.schedule.listing import Found

__all__ = ["SCHEDULE_KINDS", "Schedule"]

SCHEDULE_KINDS: Final = ("delayed", "overdue")
"""Of logs that are ours, in their definitions."""
_LOOK_AGAIN_SECONDS: Final = 1.0
"""The wall clock may be set at any time; nobody tells us."""
_HELD_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.002
"""Messages that are due in the same moment go together: one commit for each of ten thousand a second is too much."""


class Schedule:
    """See the module.

    Attributes:
        census: how many messages wait for whom.
        delays: messages that wait for some time to pass.
        times: messages that wait for a time of day.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._woken = trio.Event()
        self.delays = Wheel(node.store, "elapsed", node.clock.now_ms, self._wake, self._hand_on)
        self.times = Wheel(node.store, "wall", node.clock.wall.now_ms, self._wake, self._hand_on_by_wall)
        self._wheels = {wheel.name: wheel for wheel in (self.delays, self.times)}
        self._overdue: dict[str, Overdue] = {}
        self.census = Census(node.clock)
        for wheel in self._wheels.values():
            wheel.seen = self.census.seen

    # -- taking

    def after(self, delay_ms: int, targets: str, record: bytes, repeat: Repeat = ONCE) -> ScheduleId:
        """Deliver a message so much later, and as often as `repeat` says. Durable with the open batch."""
        slot = self.slot(self.due_in(delay_ms), targets, repeat, by_wall_clock=False)
        return slot.identity(slot.accept(record))

    def at(self, time_ms: int, targets: str, record: bytes, repeat: Repeat = ONCE) -> ScheduleId:
        """As `after`, when the wall clock shows a time, milliseconds since 1970."""
        slot = self.slot(time_ms, targets, repeat, by_wall_clock=True)
        return slot.identity(slot.accept(record))

    def due_in(self, delay_ms: int) -> int:
        """The time by the clock of delays, so much later."""
        return self._node.clock.now_ms() + delay_ms

    def put_off(self, queue: str, record: bytes, due_ms: int, deliveries: int) -> None:
        """Take a message from a queue that comes back to it when `due_in` said. Durable with the open batch."""
        self.slot(due_ms, f"q{queue}", by_wall_clock=False, deliveries=deliveries).accept(record)

    def slot(
        self,
        due_ms: int,
        targets: str,
        repeat: Repeat = ONCE,
        *,
        by_wall_clock: bool,
        is_plain: bool = False,
        deliveries: int = 0,
    ) -> Slot:
        """Where messages go that are accepted now and are due then; see `ScheduledMessage` for the rest."""
        bucket = (self.times if by_wall_clock else self.delays).bucket_for(due_ms)
        identity = ScheduleId(0 if repeat else due_ms, bucket.log.id, 0)
        now_ms = self._node.clock.now_ms()
        text = repeat.as_text()
        common = ScheduledMessage(due_ms, identity, targets, b"", now_ms, deliveries, text, is_plain)
        return Slot(bucket, self.census, common)

    # -- looking

    @property
    def size(self) -> int:
        """How many messages wait, exactly, also while they are being counted one by one."""
        return sum(bucket.size for bucket in self.buckets())

    def buckets(self) -> list[Bucket]:
        """Everything in which messages wait."""
        found = [bucket for wheel in self._wheels.values() for bucket in wheel.buckets.values()]
        return found + [overdue.bucket for overdue in self._overdue.values()]

    def buckets_of(self, identity: ScheduleId) -> list[Bucket]:
        """Where a message can be: in the bucket of its time, of any width. One that is repeated can be anywhere."""
        if not identity.due_ms:
            return self.buckets()
        spans = [(level, span_of(level, identity.due_ms)) for level in range(LEVELS)]
        found = [wheel.buckets[span] for wheel in self._wheels.values() for span in spans if span in wheel.buckets]
        return found + [overdue.bucket for overdue in self._overdue.values()]

    def offset_ms(self, bucket: Bucket) -> int:
        """How far the clock of a bucket is ahead of the wall clock."""
        return self._node.clock.ahead_ms if bucket.log.definition.get("clock") == self.delays.name else 0

    def cancel(self, found: Found) -> None:
        """A message is not to be delivered. Durable with the open batch.

        Raises:
            LimitReachedError: too many that were to come at the same time were cancelled; nothing has changed.
        """
        bucket = found.bucket
        counted = self.census.is_counted(bucket, found.seq)
        bucket.remove(found.seq)
        if counted:
            self.census.add(found.message.targets, -1)
        for wheel in self._wheels.values():
            wheel.let_go(bucket)
        self._node.store.want()

    # -- handing on

    async def run(self) -> None:
        """Hand on what is due, for as long as the broker runs."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.census.run)
            await self._work()

    async def _work(self) -> None:
        while True:
            seconds = self.step()
            self._node.end_step()
            if seconds == 0:
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_after(min(seconds, _LOOK_AGAIN_SECONDS) if self._is_used else math.inf):
                await self._woken.wait()
            self._woken = trio.Event()

    def step(self) -> float:
        """Do a bounded part of what there is to do. Returns seconds until there is more, `math.inf` for nothing."""
        if self._node.held:
            return _HELD_SECONDS
        waits = [wait for wheel in self._wheels.values() if (wait := wheel.step()) is not None]
        waits += [self._try_again(overdue) for overdue in list(self._overdue.values())]
        wait = min(waits, default=math.inf)
        return max(wait, _PAUSE_SECONDS) if wait else 0

    def clock_was_set(self, by_ms: int) -> None:
        """Somebody has set the clock on the wall."""
        if by_ms < 0:
            self.times.rewind()

    def _hand_on_by_wall(self, frames: list[bytes]) -> None:
        """Only now is it known by how much the clock on the wall was set while they have waited."""
        self._hand_on(frames, self._node.clock.ahead_ms)

    def _hand_on(self, frames: list[bytes], ahead_ms: int = 0) -> None:
        """`ahead_ms`: the clock that deadlines are counted by is so far ahead of that of these messages."""
        for run in by_fate(frames):
            message = decode_scheduled(run[0])
            if message.repeat:
                for frame in run:
                    self._hand_on_repeated(frame, ahead_ms)
            else:
                self._hand_on_run(message, run, ahead_ms)

    def _hand_on_repeated(self, frame: bytes, ahead_ms: int) -> None:
        message = decode_scheduled(frame)
        if self._goes_on(message, Repeat.from_text(message.repeat), ahead_ms):
            self._hand_on_run(message, [frame], ahead_ms)
        else:
            self.census.add(message.targets, -1)

    def _hand_on_run(self, message: ScheduledMessage, run: list[bytes], ahead_ms: int) -> None:
        """To their targets, or to the line before these; `message` is the first of them."""
        targets = message.targets
        if ahead_ms:
            run = [_put_ahead(frame, ahead_ms) for frame in run]
        overdue, done = self._overdue.get(targets), 0
        if overdue is None:
            done, refusal = hand_on(self._node, message, run)
            if refusal:
                self._node.log.warning("schedule.refused", targets=targets.replace("\n", " "), reason=refusal)
                overdue = self._overdue[targets] = Overdue.create(self._node, targets)
        if overdue is not None:
            overdue.log.append_all(run[done:])
        self.census.add(targets, -done)

    def _goes_on(self, message: ScheduledMessage, repeat: Repeat, ahead_ms: int) -> bool:
        """Schedule the next delivery of a message. What was missed is not made up for. True when one is due now."""
        if not repeat.cron:
            now_ms, period_ms = self._node.clock.now_ms(), max(1, repeat.period_ms)
            missed = max(0, now_ms - message.due_ms) // period_ms
            self._again(self.delays, message, message.due_ms + (missed + 1) * period_ms, repeat.after_one())
            return True
        next_ms = Cron(repeat.cron).next_ms(self._node.clock.wall.now_ms())
        if next_ms is not None:
            self._again(self.times, message, next_ms, repeat)
        if repeat.first_ms or repeat.at_each_time:
            record = put_ahead(message.record, ahead_ms)
            first = restamped(record, self.due_in(repeat.first_ms), repeat.lives_ms)
            self.after(repeat.first_ms, message.targets, first, repeat.at_each_time)
            return False
        return True

    def _again(self, wheel: Wheel, message: ScheduledMessage, due_ms: int, repeat: Repeat) -> None:
        record = restamped(message.record, due_ms, repeat.lives_ms)
        again = message._replace(due_ms=due_ms, record=record, repeat=repeat.as_text())
        wheel.bucket_for(due_ms).log.append(encode_scheduled(again))
        self.census.add(message.targets)

    def _try_again(self, overdue: Overdue) -> float:
        wait, handed_on = overdue.step()
        self.census.add(overdue.targets, -handed_on)
        if overdue.empty:
            del self._overdue[overdue.targets]
            self._node.store.drop_log(overdue.log)
        return wait

    @property
    def _is_used(self) -> bool:
        return bool(self._overdue) or any(wheel.buckets for wheel in self._wheels.values())

    def _wake(self) -> None:
        self._woken.set()

    # -- starts

    def take_up(self, log: Log) -> None:
        """A log of ours that was recovered."""
        if log.definition["kind"] == "overdue":
            overdue = Overdue(self._node, log)
            self._overdue[overdue.targets] = overdue
            self.census.take_up(overdue.bucket)
        elif (bucket := self._wheels[log.definition["clock"]].take_up(log)) is not None:
            self.census.take_up(bucket)


def _put_ahead(frame: bytes, by_ms: int) -> bytes:
    message = decode_scheduled(frame)
    return encode_scheduled(message._replace(record=put_ahead(message.record, by_ms)))
