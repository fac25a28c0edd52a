"""Messages for later: when they come, in what order, and what is left of them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []

_YEAR = 365.25 * 86400


def test_a_broker_without_delayed_messages_has_nothing_to_do(world: Waiting) -> None:
    assert world.node.schedule.step() == math.inf
    assert world.logs == []


def test_a_message_comes_when_its_delay_is_over_and_not_before(world: Waiting) -> None:
    world.send("a", delay=5)
    world.wait(4.999)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]


@pytest.mark.parametrize("delay", [0.2, 1, 60, 100, 3600, 5000, 90_000, 20 * 86400, _YEAR, 50 * _YEAR, 99 * _YEAR])
def test_it_is_in_time_to_the_millisecond_however_long_that_is(world: Waiting, delay: float) -> None:
    world.send("a", delay=delay)
    world.wait(delay - 0.001)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]
    world.wait(1)
    assert world.logs == [], "its buckets are gone"


def test_what_comes_in_the_same_second_as_others_that_have_gone_needs_no_new_bucket(world: Waiting) -> None:
    logs = []
    for body in "abc":
        world.send(body, delay=0.001)
        world.wait(0.001)
        assert world.bodies()[-1] == body
        logs += [log.id for log in world.store.logs.values() if log.definition["kind"] == "delayed"]
    assert len(logs) == 3
    assert len(set(logs)) == 1


def test_the_first_messages_of_a_bucket_come_after_one_commit(world: Waiting) -> None:
    world.send("a")
    for _ in range(2):
        world.store.want()
        world.node.end_step()
        world.store.sync()
        world.node.schedule.step()
    assert world.bodies() == ["a"]


def test_a_message_for_now_or_for_the_past_comes_at_once(world: Waiting) -> None:
    world.send("now")
    world.send_at("past", -100)
    world.work()
    assert sorted(world.bodies()) == ["now", "past"]


def test_messages_come_in_the_order_of_their_times_and_then_of_acceptance(world: Waiting) -> None:
    for body, delay in (("e", 3.0), ("c", 2.9), ("a", 0.1), ("d", 2.9), ("b", 2.0)):
        world.send(body, delay=delay)
    world.wait(3)
    assert world.bodies() == ["a", "b", "c", "d", "e"]


def test_so_do_those_for_one_time_that_were_sent_from_far_and_near(world: Waiting) -> None:
    ahead = 100_000.0
    for number, before in enumerate((90_000, 5000, 600, 100, 96, 95, 94, 33, 32, 31, 2, 0.5, 0.1)):
        world.wait(ahead - before)
        ahead = before
        world.send(f"{number:02}", delay=before)
    world.wait(ahead)
    assert world.bodies() == [f"{number:02}" for number in range(13)]


def test_what_was_read_too_early_for_a_message_that_comes_later_is_no_hindrance(world: Waiting) -> None:
    world.send("b", delay=0.3)
    world.work()
    world.send("a", delay=0.1)
    world.wait(0.3)
    assert world.bodies() == ["a", "b"]


def test_messages_to_topics_and_lists_go_to_all_of_them(world: Waiting) -> None:
    world.node.queue("p")
    world.send("a", delay=1, to="qq\nqp\ntnews")
    world.node.bind(world.node.queue("reader"), "news")
    world.wait(1)
    assert world.bodies() == world.bodies("p") == world.bodies("reader") == ["a"]


def test_a_queue_that_was_deleted_is_made_again(world: Waiting) -> None:
    world.node.queue("q")
    world.send("a", delay=1)
    world.settle_down()
    world.node.delete_queue("q")
    world.wait(1)
    assert world.bodies() == ["a"]


def test_messages_wait_through_restarts(world: Waiting) -> None:
    world.send("soon", delay=0.2)
    world.send("later", delay=10)
    world.send("much later", delay=_YEAR)
    world.work()
    world.restart()
    world.wait(10)
    assert world.bodies() == ["soon", "later"]
    world.restart()
    world.wait(_YEAR)
    assert world.bodies() == ["soon", "later", "much later"]


def test_what_became_due_while_the_broker_was_down_comes_in_order_when_it_is_up(world: Waiting) -> None:
    delays = [1, 70, 2, 5000, 300_000, 4, 90, 3, 5001, 80]
    for delay in delays:
        world.send(f"{delay:06}", delay=delay)
    world.settle_down()
    world.clock.advance(10 * 86400)
    world.restart()
    world.work()
    assert world.bodies() == [f"{delay:06}" for delay in sorted(delays)]


def test_a_step_is_bounded_and_many_that_are_due_at_once_all_come(world: Waiting) -> None:
    for number in range(3000):
        world.send(f"{number:04}", delay=1)
    world.settle_down()
    world.clock.advance(1)
    lengths = [0]
    while lengths[-1] < 3000:
        world.node.schedule.step()
        world.settle_down()
        lengths.append(len(world.bodies()))
    assert max(after - before for before, after in pairwise(lengths)) <= 256
    assert world.bodies() == [f"{number:04}" for number in range(3000)]


def test_what_is_late_comes_in_order_though_it_is_read_in_parts(world: Waiting) -> None:
    sent = [f"{number:03}" for number in range(600)]
    for body in reversed(sent):
        world.send(body, delay=100 + int(body) / 1000)
    world.settle_down()
    world.clock.advance(200)
    world.work()
    assert world.bodies() == sent


def test_nothing_is_handed_on_while_publishers_are_held(world: Waiting) -> None:
    world.send("a", delay=1)
    world.settle_down()
    world.clock.advance(1)
    world.node.held = True
    assert 0 < world.node.schedule.step() < 1
    world.node.held = False
    world.work()
    assert world.bodies() == ["a"]


def test_what_lies_on_disk_is_read_in_time(world: Waiting) -> None:
    for number in range(100):
        world.send(f"{number:02}", delay=10, padding=500)
    world.settle_down()
    for log in world.store.logs.values():
        world.store.spill(log)
    world.wait(10)
    assert world.bodies() == [f"{number:02}" for number in range(100)]


def test_what_comes_within_two_seconds_is_in_memory_before_a_checkpoint_may_move_it(world: Waiting) -> None:
    """To read it back takes a second while the checkpoint writes."""
    world.send("a", delay=2)
    world.work()
    (bucket,) = world.node.schedule.buckets()
    assert len(bucket.out) == 1
