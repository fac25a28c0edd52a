"""Composite destinations: each target gets one copy, in one batch, or none does."""

from __future__ import annotations

import pytest

from segue.broker.composite import Composite
from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.topic import Topic
from tests.unit.broker.actors import FakeSink, World, record


def composite(world: World, *targets: Queue | Topic) -> Composite:
    return Composite(world.node, "list", [(target, target.publish) for target in targets])


def send(world: World, target: Composite, body: str) -> None:
    target.publish(record(body))
    world.node.store.want()
    world.settle_down()


def test_every_target_gets_a_copy_and_the_journal_has_one_of_the_queues(world: World) -> None:
    a, b = world.node.queue("a"), world.node.queue("b")
    target = composite(world, a, b, world.node.topic("news"))
    news, (of_a, _), (of_b, _) = FakeSink(), world.consume(a), world.consume(b)
    world.session().subscribe_topic("news", news, prefetch=10, settles=True)
    target.publish(record("x"))
    assert [[log.id for log, _ in run.targets] for run in world.store.batch.runs] == [[a.log.id, b.log.id]]
    world.node.store.want()
    world.settle_down()
    assert [sink.bodies() for sink in (of_a, of_b, news)] == [["x"]] * 3


def test_a_target_that_is_named_twice_gets_one_copy(world: World, queue: Queue) -> None:
    send(world, composite(world, queue, queue), "x")
    assert queue.statistics().ready == 1


def test_when_one_is_full_none_gets_it(world: World, queue: Queue) -> None:
    full = world.node.declare_queue("full", options=QueueOptions(messages_max=0, overflow=REFUSE))
    target = composite(world, queue, full)
    with pytest.raises(LimitReachedError, match="'full'"):
        target.publish(record("x"))
    with pytest.raises(LimitReachedError):
        target.check_room(1, 1)
    world.settle_down()
    assert queue.log.head == 1


def test_it_is_open_as_long_as_all_targets_are(world: World, queue: Queue) -> None:
    target = composite(world, queue, world.node.queue("b"))
    assert target.open
    world.node.delete_queue("b")
    assert not target.open


def test_deadlines_count_in_every_target(world: World, queue: Queue) -> None:
    other = world.node.queue("b")
    composite(world, queue, other).note_expiring()
    assert None not in (queue.dispatcher.expiry, other.dispatcher.expiry)
