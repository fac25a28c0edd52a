"""Alarms: each is told once, and so is its end."""

from __future__ import annotations

import pytest
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


def test_a_commit_that_the_disk_does_not_do_is_told_once_and_so_is_its_end(world: World) -> None:
    """A receipt that nobody gives: whatever is the reason, operators see it (fault 20)."""
    alarms, journal = world.node.alarms, world.store.played_journal
    world.store.on_durable(lambda: None)
    world.node.queue("q")
    world.node.end_step()
    seconds = []
    for now in (100.0, 101.0, 104.9, 105.0, 106.0):
        alarms.look_at_commit(now)
        seconds.append(alarms.commit_seconds)
    assert seconds == [0.0, 1.0, pytest.approx(4.9), 5.0, 6.0]
    world.store.sync()
    alarms.look_at_commit(107.0)
    told = [(one.level, one.event, one.fields) for one in world.log.events]
    assert told == [("warning", "commit.late", {"seconds": 5.0}), ("info", "commit.done", {"seconds": 7.0})]
    assert (alarms.commit_seconds, journal.batch) == (0.0, None)


def test_commits_that_follow_each_other_are_not_late(world: World) -> None:
    for second in range(10):
        world.node.queue(f"{second}")
        world.store.want()
        world.node.end_step()
        world.node.alarms.look_at_commit(100.0 + second)
        world.store.sync()
        world.store.played_journal.syncs += 1
    assert world.log.events == []


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
