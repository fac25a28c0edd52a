"""What leaves a queue without being delivered, where that has nothing to do with one reason alone."""

from __future__ import annotations

from segue.broker.message import encode, prefix
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World


def test_returned_messages_of_several_levels_are_fetched_once_to_look_at_their_deadlines(world: World) -> None:
    """Each that was there was put back and fetched anew while the next one was fetched, without an end."""
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9, message_ttl_ms=1000))
    now_ms = world.clock.now_ms()
    for priority in (0, 4, 9):
        queue.publish(encode(*prefix(now_ms, b"priority:%d\n\n" % priority), b"x"))
    world.node.store.want()
    world.settle_down()
    session = world.session()
    world.consume(queue, prefetch=3, session=session)
    for log in queue.logs:
        world.store.spill(log)
    session.close()
    world.node.end_step()
    world.node.sweep()
    reads = 0
    while world.store.played_reader.jobs and reads < 20:
        world.store.read()
        reads += 1
    assert reads == 3
    world.clock.advance(1)
    world.settle_down()
    world.node.sweep()
    world.settle_down()
    assert queue.statistics().expired == 3
