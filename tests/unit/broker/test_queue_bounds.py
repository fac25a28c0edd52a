"""Queues that may have only so many messages: which ones go, who is refused, and what does not count."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.broker.deduplication import DeduplicationId
from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from tests.unit.broker.actors import World, record


def bounded(world: World, maximum: int, **options: object) -> Queue:
    return world.node.declare_queue("q", options=QueueOptions(messages_max=maximum, **options))  # type: ignore[arg-type]


def bodies(world: World, queue: Queue) -> list[str]:
    sink, _ = world.consume(queue, prefetch=10_000)
    return sink.bodies()


def test_the_oldest_go_for_newer_ones(world: World) -> None:
    queue = bounded(world, 3)
    world.publish(queue, *"abcdefg")
    assert queue.statistics().dropped == 4
    assert bodies(world, queue) == ["e", "f", "g"]


def test_a_queue_for_nothing_keeps_nothing_but_serves_consumers_that_wait(world: World) -> None:
    queue = bounded(world, 0)
    world.publish(queue, "a")
    sink, _ = world.consume(queue)
    world.publish(queue, "b", "c")
    assert sink.bodies() == ["b", "c"]


def test_consumers_come_first_and_what_they_hold_does_not_count(world: World) -> None:
    queue = bounded(world, 2)
    sink, _ = world.consume(queue, prefetch=3)
    world.publish(queue, *"abcde")
    assert sink.bodies() == ["a", "b", "c"]
    assert queue.statistics().dropped == 0
    world.publish(queue, "f")
    assert queue.statistics().dropped == 1


def test_returned_messages_are_the_oldest(world: World) -> None:
    queue = bounded(world, 2)
    _, subscription = world.consume(queue, prefetch=2)
    world.publish(queue, *"abcd")
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert bodies(world, queue) == ["c", "d"]
    assert queue.statistics().dropped == 2


def test_what_is_dropped_goes_to_the_dead_letter_queue(world: World) -> None:
    queue = bounded(world, 1000, dead_letter="dead")
    expected = [str(number) for number in range(5000)]
    world.publish(queue, *expected)
    for _ in range(10):
        world.settle_down()
    assert bodies(world, world.node.queue("dead")) == expected[:4000]
    assert bodies(world, queue) == expected[4000:]


def test_a_full_queue_refuses_and_takes_more_when_there_is_room(world: World) -> None:
    queue = bounded(world, 2, overflow=REFUSE)
    world.publish(queue, "a", "b")
    with pytest.raises(LimitReachedError, match="queue 'q' is full: it may have 2 messages"):
        queue.publish(record("c"))
    sink, _ = world.consume(queue, prefetch=1)
    world.publish(queue, "d")
    assert sink.bodies() == ["a"]
    assert queue.refuses
    assert queue.statistics().dropped == 0


def test_messages_that_are_not_on_disk_yet_count_too(world: World) -> None:
    queue = bounded(world, 2, overflow=REFUSE)
    queue.publish(record("a"))
    queue.publish(record("b"))
    with pytest.raises(LimitReachedError):
        queue.publish(record("c"))


@pytest.mark.parametrize("bound", [QueueOptions(messages_max=2), QueueOptions(bytes_max=2 * len(record("a")))])
def test_a_transaction_that_does_not_fit_is_refused_as_a_whole(world: World, bound: QueueOptions) -> None:
    queue = world.node.declare_queue("q", options=replace(bound, overflow=REFUSE))
    session = world.session()
    session.begin("t")
    for body in "abc":
        session.transaction("t").send(queue, queue.publish, record(body))
    with pytest.raises(LimitReachedError):
        session.commit("t")
    assert queue.log.head == 1


def test_dead_letters_wait_while_their_queue_is_full_and_go_on_when_it_has_room(world: World) -> None:
    dead = world.node.declare_queue("dead", options=QueueOptions(messages_max=1, overflow=REFUSE))
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    world.publish(queue, "a", "b")
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [1, 2])
    world.settle_down()
    assert (queue.statistics().dead_lettered, dead.statistics().ready) == (1, 1)
    assert bodies(world, dead) == ["a"]
    world.publish(queue, "c")
    assert queue.statistics().dead_lettered == 2


def test_the_limit_survives_in_the_definition() -> None:
    options = QueueOptions(messages_max=0, overflow=REFUSE)
    assert QueueOptions.from_definition({"options": options.as_definition()}) == options


def test_the_id_of_a_message_that_was_refused_is_not_remembered(world: World) -> None:
    queue = bounded(world, 1, overflow=REFUSE)
    world.publish(queue, "a")
    with pytest.raises(LimitReachedError):
        queue.publish_once(DeduplicationId("1"), record("b"))
    queue.purge()
    assert not queue.publish_once(DeduplicationId("1"), record("b")).repeat


def test_the_oldest_go_until_the_rest_has_room(world: World) -> None:
    one = len(record("a"))
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=3 * one))
    world.publish(queue, *"abcdefg")
    assert queue.statistics().dropped == 4
    world.publish(queue, "long" * one)
    assert (queue.statistics().dropped, bodies(world, queue)) == (8, [])


def test_bytes_and_messages_are_bounds_of_the_same_queue(world: World) -> None:
    one = len(record("a"))
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=2, bytes_max=3 * one))
    world.publish(queue, "a", "b", "c")
    world.publish(queue, "d" * (1 + 2 * one))
    assert queue.statistics().dropped == 3
    assert queue.statistics().ready == 1


def test_returned_messages_are_the_oldest_by_bytes_too(world: World) -> None:
    one = len(record("a"))
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=2 * one))
    _, subscription = world.consume(queue, prefetch=2)
    world.publish(queue, *"abcd")
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert bodies(world, queue) == ["c", "d"]


def test_what_is_too_large_goes_to_the_dead_letter_queue(world: World) -> None:
    one = len(record("1000"))
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=1000 * one, dead_letter="dead"))
    expected = [str(number) for number in range(1000, 4000)]
    world.publish(queue, *expected)
    for _ in range(10):
        world.settle_down()
    assert bodies(world, world.node.queue("dead")) == expected[:2000]
    assert bodies(world, queue) == expected[2000:]


def test_a_deep_queue_that_gets_a_bound_in_bytes_lets_go_without_reading(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, *(f"{number:04}" for number in range(1000)))
    world.store.spill(queue.log)
    queue.apply(QueueOptions(bytes_max=10 * len(record("0000"))))
    world.node.end_step()
    assert world.store.played_reader.jobs == []
    assert queue.statistics().ready == 10
    assert bodies(world, queue) == [f"{number:04}" for number in range(990, 1000)]


def test_a_queue_with_too_many_bytes_refuses_and_takes_more_when_there_is_room(world: World) -> None:
    one = len(record("a"))
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=2 * one + 1, overflow=REFUSE))
    queue.publish(record("a"))
    queue.publish(record("b"))  # neither is on disk yet
    with pytest.raises(LimitReachedError, match=f"queue 'q' is full: it may have {2 * one + 1} bytes of messages"):
        queue.publish(record("c"))
    world.settle_down()
    with pytest.raises(LimitReachedError):
        queue.publish(record("c"))
    sink, _ = world.consume(queue, prefetch=1)
    world.publish(queue, "d")
    assert sink.bodies() == ["a"]


def test_other_options_leave_the_count_as_it_is(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(bytes_max=1000))
    bound = queue.bound
    queue.apply(QueueOptions(bytes_max=1000, overflow=REFUSE))
    assert queue.bound is bound
    queue.apply(QueueOptions())
    assert (queue.bound, queue.log.on_sealed) == (None, None)
    assert not queue.publish_once(DeduplicationId("1"), record("b")).repeat
