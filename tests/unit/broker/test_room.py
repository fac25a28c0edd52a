"""Tests of segue.broker.room: who waits for room is told when there is some, and for the disk when it has written."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from segue.broker.node import Output
from segue.broker.pending import PendingError
from segue.broker.queue import Queue
from segue.broker.room import on_disk, until_answerable, until_let_go
from tests.unit.broker.actors import World, record


async def test_nobody_waits_while_publishers_are_not_held(world: World) -> None:
    await until_let_go(world.node)


async def test_who_waits_goes_on_when_publishers_do(world: World) -> None:
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    through = trio.Event()

    async def wait() -> None:
        await until_let_go(world.node)
        through.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        world.node.end_step()
        await wait_all_tasks_blocked()
        assert not through.is_set()
        world.store.played_journal.short_of_space = False
        world.node.end_step()
        await through.wait()


async def test_who_has_given_up_is_not_waited_for(world: World) -> None:
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_let_go, world.node)
        await wait_all_tasks_blocked()
        assert len(world.node._waiting) == 1
        nursery.cancel_scope.cancel()
    assert not world.node._waiting


async def test_who_waits_for_an_answer_goes_on_when_it_is_there(world: World) -> None:
    waiting: list[Output] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(until_answerable, world.node, PendingError("not read yet", waiting.append))
        await wait_all_tasks_blocked()
        (output,) = waiting
        output.let_go()


async def test_an_answer_that_is_there_already_is_not_waited_for(world: World) -> None:
    await until_answerable(world.node, PendingError("read meanwhile", world.node.wait_for_room))
    assert not world.node._waiting


async def test_what_was_done_in_the_step_is_on_disk_when_it_is_said_so(world: World, queue: Queue) -> None:
    queue.publish(record("a"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(on_disk, world.node)
        await wait_all_tasks_blocked()
        assert world.store.under_way
        assert queue.statistics().ready == 0
        world.store.sync()
    assert queue.statistics().ready == 1
