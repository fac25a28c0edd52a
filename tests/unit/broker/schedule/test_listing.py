"""Lists of what waits, and cancelling: wherever a message is, in a wide bucket, a narrow one or in memory."""

from __future__ import annotations

import pytest

from segue.broker.errors import LimitReachedError
from segue.broker.schedule import bucket as bucket_module
from segue.broker.schedule.listing import Found, Listing, find
from segue.broker.schedule.scheduled_message import ScheduleId
from tests.unit.broker.actors import body_of
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


async def everything(listing: Listing) -> list[Found]:
    found: list[Found] = []
    while (chunk := await listing.chunk()) is not None:
        found += chunk
    return found


async def bodies(world: Waiting, target: str = "", **times: int) -> list[str]:
    found = await everything(Listing(world.node.schedule, target=target, **times))
    return [body_of(one.message.record) for one in found]


async def cancel(world: Waiting, identity: ScheduleId) -> bool:
    found = await find(world.node.schedule, identity)
    if found is not None:
        world.node.schedule.cancel(found)
    world.settle_down()
    return found is not None


async def test_what_waits_is_listed_and_what_is_due_soon_comes_first(world: Waiting) -> None:
    now_ms = world.clock.now_ms()
    for delay in (5000, 0.2, 20):
        world.send(str(delay), delay=delay)
    world.send_at("at", 100)
    world.work()
    assert await bodies(world) == ["0.2", "20", "at", "5000"]
    found = await everything(Listing(world.node.schedule))
    assert [one.due_ms - now_ms for one in found] == [200, 20_000, 100_000, 5_000_000]


async def test_a_list_can_be_for_one_queue_or_for_some_time(world: Waiting) -> None:
    now_ms = world.clock.now_ms()
    world.send("a", delay=5, to="qp")
    world.send("b", delay=6, to="qq\nqp")
    world.send("c", delay=7)
    world.work()
    assert await bodies(world, "qp") == ["a", "b"]
    assert await bodies(world, "qq") == ["b", "c"]
    assert await bodies(world, from_ms=now_ms + 5500, to_ms=now_ms + 6500) == ["b"]


async def test_what_lies_on_disk_is_listed_and_cancelled(world: Waiting) -> None:
    sent = [world.send(f"{number}", delay=100, padding=100) for number in range(30)]
    world.settle_down()
    for log in list(world.store.logs.values()):
        world.store.spill(log)
    assert await cancel(world, sent[17])
    assert len(await bodies(world)) == 29
    world.wait(100)
    assert world.bodies() == [f"{number}" for number in range(30) if number != 17]


@pytest.mark.parametrize("when", [0, 50, 100, 4000, 4980, 4999.8])
async def test_a_cancelled_message_does_not_come_wherever_it_was(world: Waiting, when: float) -> None:
    first, second, _ = (world.send(body, delay=5000) for body in "abc")
    world.work()
    world.wait(when)
    assert await cancel(world, second)
    assert not await cancel(world, second), "it is gone"
    world.restart()
    assert await bodies(world) == ["a", "c"]
    world.wait(5000 - when)
    assert world.bodies() == ["a", "c"]
    assert not await cancel(world, first), "it was delivered"
    world.wait(1)
    assert world.logs == []


async def test_when_the_last_one_is_cancelled_its_bucket_goes(world: Waiting) -> None:
    sent = world.send("a", delay=300)
    world.work()
    assert await cancel(world, sent)
    assert world.logs == []
    assert world.node.schedule.size == 0


async def test_so_it_does_when_the_last_of_those_that_were_cancelled_stood_behind_what_came(world: Waiting) -> None:
    world.send("a", delay=5.1)
    behind = world.send("b", delay=5.2)
    world.work()
    assert await cancel(world, behind)
    world.wait(10)
    assert world.bodies() == ["a"]
    assert world.logs == []


async def test_those_that_wait_for_room_are_listed_and_cancelled(world: Waiting) -> None:
    world.full_queue("q")
    sent = [world.send(body, delay=1) for body in "abc"]
    world.wait(2)
    assert await bodies(world) == ["a", "b", "c"]
    assert await cancel(world, sent[1])
    world.node.queues["q"].purge()
    world.wait(2)
    assert world.bodies() == ["a"], "there is room for one"
    world.node.queues["q"].purge()
    world.wait(2)
    assert world.bodies() == ["c"]


async def test_cancelled_ones_among_others_are_not_kept_without_bound(
    world: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "_GAPS_MAX", 2)
    sent = [world.send(f"{number}", delay=100) for number in range(7)]
    world.work()
    assert await cancel(world, sent[1])
    assert await cancel(world, sent[3])
    with pytest.raises(LimitReachedError):
        await cancel(world, sent[5])
    assert world.node.schedule.census.waiting_for("qq") == world.node.schedule.size == 5


@pytest.mark.parametrize("text", ["", "1-2", "1-2-3-4", "a-b-c", "1--3", "1-2-²", "9" * 21 + "-1-1"])
def test_what_is_no_name_of_a_message_is_none(text: str) -> None:
    assert ScheduleId.from_text(text) is None


def test_a_name_is_read_as_it_was_written(world: Waiting) -> None:
    sent = world.send("a", delay=1)
    assert ScheduleId.from_text(str(sent)) == sent
