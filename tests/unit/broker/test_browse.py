"""Browsing: what is ready, in order, without taking it, from memory and from disk."""

from __future__ import annotations

import pytest
import trio

from segue.broker.browse import Browser
from segue.broker.errors import UnreadableError
from segue.broker.queue import Queue
from tests.unit.broker.actors import World, body_of


async def read(browser: Browser, bytes_max: int = 1 << 20) -> list[str]:
    """Everything that is left of a walk."""
    found = []
    while chunk := await browser.chunk(bytes_max):
        assert [seq for seq, _ in chunk] == sorted(seq for seq, _ in chunk)
        found += [body_of(record) for _, record in chunk]
    return found


@pytest.mark.parametrize("bytes_max", [1, 100, 1 << 20])
@pytest.mark.parametrize("spilled", ["nothing", "the older half", "all"])
async def test_a_walk_sees_everything_that_is_ready_in_order(
    world: World, queue: Queue, bytes_max: int, spilled: str
) -> None:
    world.publish(queue, *"abcd")
    if spilled == "the older half":
        world.store.spill(queue.log)
    world.publish(queue, *"efgh")
    if spilled == "all":
        world.store.spill(queue.log)
    assert await read(Browser(queue), bytes_max) == list("abcdefgh")
    assert queue.statistics().ready == 8
    assert world.consume(queue)[0].bodies()[0] == "a"


@pytest.mark.parametrize("spilled", [False, True])
async def test_returned_messages_come_first_and_what_is_out_is_not_there(
    world: World, queue: Queue, spilled: bool
) -> None:
    world.publish(queue, *"abcdef")
    sink, subscription = world.consume(queue, prefetch=4)
    sink.blocked = True
    world.give_back(subscription.consumer, 3, 1)
    if spilled:
        world.store.spill(queue.log)
    assert await read(Browser(queue)) == ["a", "c", "e", "f"]


@pytest.mark.parametrize("spilled", [False, True])
async def test_what_was_moved_away_is_not_shown(world: World, queue: Queue, spilled: bool) -> None:
    world.publish(queue, *"abcdefgh")
    if spilled:
        world.store.spill(queue.log)
    browser = Browser(queue)
    queue.cursor.settle_ahead([3, 4, 5, 8])
    for walk in (browser, Browser(queue)):
        assert await read(walk, 100) == ["a", "b", "f", "g"]


async def test_an_empty_queue_has_nothing_to_show(world: World, queue: Queue) -> None:
    assert await read(Browser(queue)) == []
    world.publish(queue, "a")
    world.consume(queue)
    assert await read(Browser(queue)) == []


async def test_what_comes_after_the_beginning_is_not_seen(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    browser = Browser(queue)
    world.publish(queue, "b")
    assert await read(browser) == ["a"]


async def test_what_is_not_on_disk_yet_is_not_seen(world: World, queue: Queue) -> None:
    world.publish(queue, "a")
    queue.publish(b"not yet")
    assert await read(Browser(queue)) == ["a"]


@pytest.mark.parametrize("spilled", [False, True])
async def test_a_walk_ends_though_the_queue_is_purged_under_its_feet(world: World, queue: Queue, spilled: bool) -> None:
    world.publish(queue, *map(str, range(3000)))
    sink, subscription = world.consume(queue, prefetch=2000)
    sink.blocked = True
    world.give_back(subscription.consumer, *range(1, 2001))
    if spilled:
        world.store.spill(queue.log)
    browser = Browser(queue)
    await browser.chunk(1)
    queue.purge()
    world.settle_down()
    world.store.spilled.clear()
    with trio.fail_after(30):
        assert len(await read(browser)) < 3000


async def test_a_long_gap_of_settled_messages_is_stepped_over_at_once(world: World, queue: Queue) -> None:
    """Or the event loop would stand still: nothing in such a gap waits for a disk."""
    world.publish(queue, *map(str, range(20_000)))
    browser = Browser(queue)
    await browser.chunk(1)
    sink, subscription = world.consume(queue, prefetch=19_999)
    sink.blocked = True
    world.acknowledge(subscription.consumer, *[one.seq for one in sink.take()])
    reads = 0
    ((_, walk),) = browser._walks
    real_read = walk._read

    async def count(seq: int, end: int, bytes_max: int) -> tuple[list[tuple[int, bytes]], int]:
        nonlocal reads
        reads += 1
        return await real_read(seq, end, bytes_max)

    walk._read = count  # type: ignore[method-assign]
    assert await read(browser) == ["19999"]
    assert reads < 10


async def test_a_disk_that_does_not_answer_is_told(world: World, queue: Queue) -> None:
    world.publish(queue, *"ab")
    world.store.spill(queue.log)
    world.store.played_reader.fault = OSError(5, "Input/output error")
    with pytest.raises(UnreadableError, match="'q'"):
        await Browser(queue).chunk(100)
