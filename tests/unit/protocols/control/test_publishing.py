"""`queue.publish`: an operator's message in the queue, or in the schedule."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, cast

import pytest
import trio
import trio.testing

from segue.broker.message import decode
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode
from segue.protocols.control.publishing import Publishing
from tests.unit.broker.actors import World


@pytest.fixture
def world() -> World:
    return World()


async def publish(world: World, **arguments: Any) -> dict[str, Any]:
    """Ask for it, and let the disk write what that brings."""
    done: dict[str, Any] = {}

    async def ask() -> None:
        wanted = Arguments({"queue": "q", "body": b64encode(b"x").decode(), **arguments})
        done.update(await Publishing(world.node).publish(wanted, cast(Any, None)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        world.settle_down()
    return done


async def test_its_life_begins_when_it_can_be_had(world: World) -> None:
    now_ms = world.clock.now_ms()
    await publish(world, ttl_ms=1000)
    await publish(world, ttl_ms=1000, delay_ms=5000)
    first = decode(world.node.queues["q"].log.hot[1])
    assert (first.accepted_ms, first.expires_ms) == (now_ms, now_ms + 1000)
    world.clock.advance(5)
    world.node.schedule.step()
    world.settle_down()
    world.node.schedule.step()
    world.settle_down()
    second = decode(world.node.queues["q"].log.hot[2])
    assert (second.accepted_ms, second.expires_ms) == (now_ms + 5000, now_ms + 6000)


async def test_a_repeat_is_told_the_first_one(world: World) -> None:
    first = await publish(world, dedup_id="a")
    again = await publish(world, dedup_id="a")
    assert (first["seq"], first["duplicate"], again["seq"], again["duplicate"]) == (1, False, 1, True)
    assert world.node.queues["q"].statistics().published == 1


async def test_it_is_not_accepted_while_publishers_are_held(
    world: World, autojump_clock: trio.testing.MockClock
) -> None:
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    with pytest.raises(ControlError, match="publishers are held") as caught:
        await Publishing(world.node).publish(Arguments({"queue": "q", "body": ""}), cast(Any, None))
    assert caught.value.code is ErrorCode.HELD
    assert world.node.queues == {}


@pytest.mark.parametrize(
    "arguments",
    [
        {"delay_ms": 1, "deliver_at_ms": 1},
        {"delay_ms": 101 * 365 * 86_400_000},
        {"priority": 256},
        {"ttl_ms": -1},
        {"headers": [["delay", "1"]]},
    ],
)
async def test_what_can_not_be_makes_no_queue(world: World, arguments: dict[str, Any]) -> None:
    with pytest.raises(ControlError) as caught:
        await Publishing(world.node).publish(Arguments({"queue": "q", "body": "", **arguments}), cast(Any, None))
    assert caught.value.code is ErrorCode.BAD_REQUEST
    assert world.node.queues == {}
