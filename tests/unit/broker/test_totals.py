"""What all queues have done together, those included that are gone."""

from __future__ import annotations

from segue.broker.totals import COUNTS
from tests.unit.broker.actors import World


def totals(world: World) -> dict[str, int]:
    node = world.node
    return node.totals.with_queues(queue.statistics() for queue in node.queues.values())


def test_all_queues_count_and_those_that_are_deleted_still_do() -> None:
    world = World()
    for name in ("a", "b"):
        world.publish(world.node.queue(name), *"123")
    before = totals(world)
    world.node.delete_queue("a")
    assert (before["published"], totals(world)) == (6, before)
    assert set(before) == set(COUNTS)


def test_what_was_published_before_the_start_does_not_count() -> None:
    world = World()
    world.publish(world.node.queue("a"), *"123")
    world.restart()
    assert totals(world)["published"] == 0
    world.publish(world.node.queue("a"), "4")
    world.node.delete_queue("a")
    assert totals(world)["published"] == 1
