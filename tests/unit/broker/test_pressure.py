"""Pressure: when publishers wait, why, and how much may gather in memory for those who do not take it."""

from __future__ import annotations

import errno

import pytest

from segue.broker.errors import LimitReachedError
from tests.unit.broker.actors import World, record

MIB = 1 << 20


@pytest.fixture
def world() -> World:
    return World(memory={"high_water_bytes": 64 * MIB, "low_water_bytes": 32 * MIB})


def held(world: World) -> bool:
    return world.node.pressure.check()


@pytest.mark.parametrize("what", ["messages", "output", "transactions"])
def test_publishers_wait_above_the_high_mark_and_until_the_low_one(world: World, what: str) -> None:
    pressure = world.node.pressure

    def use(size: int) -> None:
        if what == "messages":
            world.store.hot_bytes = size
        elif what == "transactions":
            pressure.transaction_bytes = size
        else:
            pressure.output_bytes = size

    found = []
    for size in (0, 64 * MIB, 64 * MIB + 1, 33 * MIB, 32 * MIB + 1, 32 * MIB, 64 * MIB):
        use(size)
        found.append(held(world))
    assert found == [False, False, True, True, True, False, False]


def test_reasons_are_there_while_publishers_wait_and_no_longer(world: World) -> None:
    pressure = world.node.pressure
    assert not pressure.reasons
    assert pressure.held_since_ms == 0
    pressure.output_bytes = 65 * MIB
    assert held(world)
    began = world.clock.now_ms()
    world.clock.advance(10)
    world.store.played_journal.short_of_space = True
    assert held(world)
    memory, storage = pressure.reasons
    assert str(65 * MIB) in memory
    assert "memory.high_water_bytes" in memory
    assert "no room" in storage
    assert pressure.held_since_ms == began
    pressure.output_bytes = 0
    world.store.played_journal.short_of_space = False
    assert not held(world)
    assert pressure.reasons == ()
    assert pressure.held_since_ms == 0


async def test_publishers_wait_when_the_disk_is_nearly_full_and_until_there_is_clearly_room(world: World) -> None:
    """FAULTS L8."""
    storage = world.settings.storage
    low, more = storage.disk_free_bytes_min, storage.disk_free_hysteresis_bytes
    found = []
    for free in (low, low - 1, low, low + more - 1, low + more, low):
        world.store.played_disk.free = free
        await world.node.pressure.look_at_disk()
        found.append(held(world))
        assert world.node.pressure.free_bytes == free
        assert any("disk" in reason for reason in world.node.pressure.reasons) is found[-1]
    assert found == [False, True, True, True, False, False]


@pytest.mark.parametrize("was_low", [False, True])
async def test_a_disk_that_does_not_answer_changes_nothing(world: World, was_low: bool) -> None:
    disk = world.store.played_disk
    disk.free = 0 if was_low else 1 << 40
    await world.node.pressure.look_at_disk()
    disk.fault = OSError(errno.EIO, "Input/output error")
    await world.node.pressure.look_at_disk()
    assert held(world) is was_low
    assert world.node.pressure.free_bytes == -1
    disk.fault = None
    disk.free = 1 << 40
    await world.node.pressure.look_at_disk()
    assert not held(world)


async def test_a_checkpoint_is_asked_for_when_memory_is_short(world: World) -> None:
    await world.node.pressure.look_at_disk()
    assert world.store.checkpointer.asked == 0  # type: ignore[attr-defined]
    world.node.pressure.output_bytes = 65 * MIB
    world.node.end_step()
    await world.node.pressure.look_at_disk()
    assert world.store.checkpointer.asked == 1  # type: ignore[attr-defined]


# What gathers for those who do not take it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "ration"), [(0, 1024), (16 * MIB, 1024), (16 * MIB + 1, 64), (32 * MIB, 64), (32 * MIB + 1, 0)]
)
def test_each_gets_less_when_all_together_have_much(world: World, total: int, ration: int) -> None:
    assert world.node.pressure.ration(1024, total) == ration


def test_messages_that_live_in_memory_only_never_hold_publishers(world: World) -> None:
    """Nothing but their own consumers would make room for them, and those may take their time for ever."""
    session = world.session()
    queue = session.temporary_queue("t")
    size = queue.statistics().bytes
    assert size == 0
    world.publish(queue, *["x" * MIB] * 10)
    assert world.node.pressure.buffer_bytes == world.store.hot_bytes > 10 * MIB
    world.node.pressure.output_bytes = 60 * MIB
    assert not held(world)
    sink, subscription = world.consume(queue, session=session)
    world.acknowledge(subscription.consumer, *[one.seq for one in sink.take()])
    assert world.node.pressure.buffer_bytes == world.store.hot_bytes == 0


def test_memory_of_a_queue_is_given_back_when_it_goes(world: World) -> None:
    session, publisher = world.session(), world.session()
    queue = session.temporary_queue("t")
    world.publish(queue, *"abc")
    world.consume(queue, session=session)
    session.close()
    assert world.node.pressure.buffer_bytes == 0
    assert world.store.hot_bytes == 0
    assert publisher.id in world.node.sessions


def test_all_temporary_queues_together_are_bounded(world: World) -> None:
    """FAULTS L7: no client fills the memory of the broker with queues that nobody reads."""
    session = world.session()
    refused = 0
    for number in range(100):
        queue = session.temporary_queue(str(number))
        for _ in range(10):
            try:
                queue.publish(record("x" * MIB))
            except LimitReachedError:
                refused += 1
            world.node.end_step()
    # A single message always fits, or nobody could be answered any more.
    assert world.node.pressure.buffer_bytes < (32 + 100 + 2) * MIB
    assert refused > 800
