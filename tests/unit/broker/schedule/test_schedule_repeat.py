"""Messages that come again and again."""

from __future__ import annotations

from segue.broker.schedule.listing import Listing, find
from segue.broker.schedule.repeat import FOR_EVER, Repeat
from segue.storage.api import times
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def every(world: Waiting, seconds: float, left: int, delay: float | None = None, **more: int) -> None:
    repeat = Repeat(round(seconds * 1000), left, **more)  # type: ignore[arg-type]
    delay_ms = round((seconds if delay is None else delay) * 1000)
    world.node.schedule.after(delay_ms, "qq", record("a"), repeat)


def test_a_message_comes_once_and_so_many_times_more(world: Waiting) -> None:
    every(world, 10, 2, delay=1)
    counts = []
    for seconds in (0.999, 0.001, 9.999, 0.001, 10, 1000):
        world.wait(seconds)
        counts.append(len(world.bodies()))
    assert counts == [0, 1, 1, 2, 3, 3]
    assert world.logs == []


def test_it_can_go_on_for_ever_also_through_restarts(world: Waiting) -> None:
    every(world, 50, FOR_EVER)
    world.wait(500)
    assert len(world.bodies()) == 10
    world.restart()
    world.wait(500)
    assert len(world.bodies()) == 20


def test_what_was_missed_is_not_made_up_for_and_the_rhythm_is_kept(world: Waiting) -> None:
    every(world, 10, 5)
    world.settle_down()
    world.clock.advance(34)
    world.restart()
    world.work()
    assert len(world.bodies()) == 1
    world.wait(5.9)
    assert len(world.bodies()) == 1
    world.wait(0.2)
    assert len(world.bodies()) == 2
    world.wait(1000)
    assert len(world.bodies()) == 6


def test_each_delivery_lives_as_long_as_the_first(world: Waiting) -> None:
    every(world, 10, 1, lives_ms=3000)
    world.wait(20)
    queue = world.node.queues["q"]
    queue.dispatcher.expiry = None  # they are to be looked at, not swept
    deadlines = [times(queue.log.hot[seq]) for seq in range(1, queue.log.durable)]
    assert [expires_ms - accepted_ms for accepted_ms, expires_ms in deadlines][1:] == [3000]
    assert deadlines[1][0] - world.clock.now_ms() == 0


def test_a_cron_entry_says_when_it_comes(world: Waiting) -> None:
    minute_ms = 60_000
    now_ms = world.clock.now_ms()
    first_ms = (now_ms // minute_ms + 1) * minute_ms
    world.node.schedule.at(first_ms, "qq", record("a"), Repeat(cron="* * * * *"))
    world.wait((first_ms - now_ms) / 1000 - 0.001)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]
    world.wait(600)
    assert world.bodies() == ["a"] * 11


def test_at_each_time_of_a_cron_entry_delay_and_repeats_begin(world: Waiting) -> None:
    first_ms = (world.clock.now_ms() // 60_000 + 1) * 60_000
    world.node.schedule.at(first_ms, "qq", record("a"), Repeat(1000, 9, "*/5 * * * *", 2000))
    world.wait((first_ms - world.clock.now_ms()) / 1000)
    assert world.bodies() == []
    world.wait(2)
    assert len(world.bodies()) == 1
    world.wait(9)
    assert len(world.bodies()) == 10
    world.wait(300)
    assert len(world.bodies()) == 20


async def test_to_cancel_it_is_the_end_of_all_deliveries(world: Waiting) -> None:
    sent = world.node.schedule.after(1000, "qq", record("a"), Repeat(1000, FOR_EVER))
    world.wait(3)
    found = await find(world.node.schedule, sent)
    assert found is not None
    world.node.schedule.cancel(found)
    world.wait(10)
    assert len(world.bodies()) == 3
    assert await Listing(world.node.schedule).chunk() is None


def test_a_full_queue_does_not_stop_the_rhythm(world: Waiting) -> None:
    world.full_queue("q")
    every(world, 10, 3)
    world.wait(25)
    assert world.node.schedule.size == 3, "two that are due, and what is to come"
    assert len(world.log.named("schedule.refused")) == 1


def test_what_a_newer_segue_says_of_repeats_is_passed_over() -> None:
    assert Repeat.from_text('{"period_ms":5,"left":1,"moon":"full"}') == Repeat(5, 1)
