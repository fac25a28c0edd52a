"""Alarms: each is told once, and so is its end."""

from __future__ import annotations

import trio
import trio.testing

from tests.unit.broker.actors import World


def test_memory_and_disk_alarms_are_told_once_and_a_busy_disk_is_not(world: World) -> None:
    journal = world.store.played_journal
    journal.short_of_space = True
    world.node.end_step()
    assert world.log.events == []  # a moment's wait is daily life
    world.node.pressure.output_bytes = 1 << 40
    world.node.end_step()
    world.node.end_step()
    journal.short_of_space = False
    world.node.end_step()
    (event,) = world.log.named("publishers.held")
    assert "memory" in str(event.fields["reason"])
    world.node.pressure.output_bytes = 0
    world.node.end_step()
    world.node.end_step()
    assert len(world.log.named("publishers.released")) == 1


async def test_checkpoints_that_fail_are_told_once_and_so_is_their_end(
    world: World, nursery: trio.Nursery, mock_clock: trio.testing.MockClock
) -> None:
    mock_clock.rate = 1000  # the disk is looked at in a thread, which the clock can't wait for
    checkpointer = world.store.played_checkpointer
    checkpointer.fault = "no space left"
    nursery.start_soon(world.node.watch)
    while checkpointer.asked < 3:
        await trio.lowlevel.checkpoint()
    checkpointer.fault = ""
    while not world.log.named("checkpoint.recovered"):
        await trio.lowlevel.checkpoint()
    nursery.cancel_scope.cancel()
    told = [(one.level, one.event, one.fields) for one in world.log.events if one.event.startswith("checkpoint.")]
    assert told == [
        ("error", "checkpoint.failed", {"reason": "no space left"}),
        ("info", "checkpoint.recovered", {}),
    ]


def test_what_can_not_be_read_is_logged_with_the_name_of_the_queue(world: World) -> None:
    queue = world.node.queue("q")
    world.store.on_fault(queue.log, "message 3 set aside")
    (event,) = world.log.named("storage.unreadable")
    assert event.fields == {"queue": "q", "reason": "message 3 set aside"}
