"""The watch over the clock on the wall: it tells once that it was set, and keeps that for the next start."""

from __future__ import annotations

from segue.broker.clock_watch import KIND
from tests.unit.broker.actors import World


def kept(world: World) -> list[dict[str, int]]:
    return [log.definition for log in world.store.logs.values() if log.definition.get("kind") == KIND]


def test_nothing_is_written_as_long_as_nobody_sets_the_clock(world: World) -> None:
    world.clock.advance(3600)
    world.clock.set_by(0.5)
    world.node.clock_watch.look()
    assert (kept(world), world.log.events) == ([], [])


def test_that_it_was_set_is_told_once_each_time_and_kept_in_one_place(world: World) -> None:
    for step in (3600, -7200):
        world.clock.set_by(step)
        world.node.clock_watch.look()
        world.node.clock_watch.look()
    assert [line.fields["by_ms"] for line in world.log.named("clock.set")] == [3_600_000, -7_200_000]
    (definition,) = kept(world)
    assert definition["ahead_ms"] == 3_600_000


def test_the_next_start_goes_on_with_it(world: World) -> None:
    world.clock.set_by(3600)
    world.node.clock_watch.look()
    before_ms = world.node.clock.now_ms()
    world.restart()
    assert world.node.clock.now_ms() == before_ms
    assert world.node.clock.on_wall(before_ms) == world.clock.now_ms()
    world.node.clock_watch.look()
    assert len(world.log.named("clock.set")) == 1
