"""Numbers of producers: what is not higher than the last one is a repeat, also after a restart."""

from __future__ import annotations

import pytest

from segue.broker.deduplication import Acceptance, producers
from segue.broker.queue import Queue
from segue.storage.api import Log
from tests.unit.broker.actors import World
from tests.unit.broker.deduplication.actors import publish_number


def companion(world: World) -> Log:
    return next(log for log in world.store.logs.values() if log.definition.get("what") == "producers")


def found_again(world: World) -> Queue:
    """The queue behind a restart."""
    world.settle_down()
    for log in world.store.logs.values():
        world.store.spill(log)
    world.restart()
    return world.node.queues["q"]


def test_numbers_rise_with_gaps_and_what_is_not_higher_is_a_repeat(world: World, queue: Queue) -> None:
    answers = publish_number(world, queue, "p", 5, 5, 3, 6, 100, 7)
    assert answers == [
        Acceptance(1, False, 5),
        Acceptance(1, True, 5),
        Acceptance(0, True, 5),
        Acceptance(2, False, 6),
        Acceptance(3, False, 100),
        Acceptance(0, True, 100),
    ]


def test_0_asks_for_the_last_number_and_stores_nothing(world: World, queue: Queue) -> None:
    assert publish_number(world, queue, "p", 0) == [Acceptance(0, True, 0)]
    publish_number(world, queue, "p", 8)
    assert publish_number(world, queue, "p", 0) == [Acceptance(0, True, 8)]
    assert queue.statistics().ready == 1


def test_each_producer_has_numbers_of_his_own(world: World, queue: Queue) -> None:
    for producer in ("p", "q", "日本", ""):
        assert publish_number(world, queue, producer, 1) == [Acceptance(queue.log.head - 1, False, 1)]


def test_the_last_numbers_survive_restarts(world: World, queue: Queue) -> None:
    publish_number(world, queue, "p", 1, 2, 3)
    publish_number(world, queue, "q", 9)
    for _ in range(2):
        queue = found_again(world)
        assert publish_number(world, queue, "p", 2, 3) == [Acceptance(0, True, 3), Acceptance(3, True, 3)]
    assert publish_number(world, queue, "q", 9, 10) == [Acceptance(4, True, 9), Acceptance(5, False, 10)]


def test_one_entry_a_batch_is_written_for_each_producer(world: World, queue: Queue) -> None:
    publish_number(world, queue, "p", *range(1, 1000))
    assert [len(record) for record in companion(world).hot.values()] == [32 + 32]


def test_the_log_is_written_anew_when_it_has_grown_and_means_the_same(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producers, "_ENTRIES_MORE", 3)
    for number in range(1, 30):
        publish_number(world, queue, f"p{number % 3}", number)
    log = companion(world)
    assert log.head > 20
    assert len(log.hot) < 10
    queue = found_again(world)
    assert [publish_number(world, queue, f"p{one}", 0)[0].last for one in range(3)] == [27, 28, 29]


def test_the_one_that_has_not_published_for_the_longest_time_is_forgotten(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producers, "PRODUCERS_MAX", 3)
    for producer in "abcad":
        publish_number(world, queue, producer, 7 if producer != "a" else queue.log.head)
    for _ in range(2):
        known = {one: publish_number(world, queue, one, 0)[0].last for one in "abcd"}
        assert known == {"a": 4, "b": 0, "c": 7, "d": 7}
        queue = found_again(world)


def test_a_full_queue_refuses_and_does_not_take_the_number(world: World) -> None:
    queue = world.node.queue("q")
    world.node.deduplication.bytes_refused = -1
    with pytest.raises(Exception, match="deduplication_bytes_max"):
        publish_number(world, queue, "p", 1)
    world.node.deduplication.bytes_refused = 1
    assert publish_number(world, queue, "p", 1) == [Acceptance(1, False, 1)]
