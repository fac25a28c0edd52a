"""Look-ahead: consumers with selectors, message groups, and what is set aside for them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.selector import compile_selector
from segue.broker.session import Subscription
from tests.unit.broker.actors import FakeSink, World, record

RED = compile_selector("colour = 'red'")
BLUE = compile_selector("colour = 'blue'")


def paint(world: World, queue: Queue, *bodies: str) -> None:
    """Messages whose first letter says their colour."""
    colours = {"r": b"colour:red\n\n", "b": b"colour:blue\n\n"}
    for body in bodies:
        queue.publish(record(body, colours.get(body[0], b"\n")))
    world.settle_down()


def group(world: World, queue: Queue, *bodies: str, more: bytes = b"") -> None:
    """Messages whose first letter is their group."""
    queue.note_grouped()
    for body in bodies:
        queue.publish(record(body, b"JMSXGroupID:%b\n%b\n" % (body[0].encode(), more)))
    world.settle_down()


# Selectors ----------------------------------------------------------------------------------------------------------


def test_each_consumer_gets_what_it_selects_in_order(world: World, queue: Queue) -> None:
    red, _ = world.consume(queue, selector=RED)
    blue, _ = world.consume(queue, selector=BLUE)
    paint(world, queue, "r1", "b1", "b2", "r2", "b3")
    assert (red.bodies(), blue.bodies()) == (["r1", "r2"], ["b1", "b2", "b3"])


def test_what_nobody_selects_stays_ready_and_goes_to_who_comes_later(world: World, queue: Queue) -> None:
    red, _ = world.consume(queue, selector=RED)
    paint(world, queue, "x1", "r1", "b1", "x2")
    statistics = queue.statistics()
    assert (statistics.ready, statistics.passed_over, statistics.returned, statistics.in_flight) == (3, 3, 0, 1)
    blue, _ = world.consume(queue, selector=BLUE)
    rest, _ = world.consume(queue)
    assert (red.bodies(), blue.bodies(), rest.bodies()) == (["r1"], ["b1"], ["x1", "x2"])


def test_what_was_set_aside_and_never_delivered_is_not_called_redelivered(world: World, queue: Queue) -> None:
    _, subscription = world.consume(queue, selector=RED)
    paint(world, queue, "b1", "r1", "b2")
    world.node.sessions[subscription.consumer.session_id].close()
    assert queue.dispatcher.look_ahead is None
    plain, _ = world.consume(queue)
    assert [(one.body, one.deliveries, one.redelivered) for one in plain.take()] == [
        ("b1", 1, False),
        ("r1", 2, True),
        ("b2", 1, False),
    ]


def test_what_was_set_aside_goes_first_when_its_consumer_has_room_again(world: World, queue: Queue) -> None:
    red, of_red = world.consume(queue, selector=RED, prefetch=1)
    blue, _ = world.consume(queue, selector=BLUE)
    paint(world, queue, "r1", "r2", "b1", "r3")
    assert (red.bodies(), blue.bodies()) == (["r1"], ["b1"])
    world.acknowledge(of_red.consumer, 1)
    paint(world, queue, "r4")
    assert red.bodies() == ["r2"]
    world.acknowledge(of_red.consumer, 2)
    assert red.bodies() == ["r3"]


def test_a_returned_message_goes_only_to_who_selects_it(world: World, queue: Queue) -> None:
    red, of_red = world.consume(queue, selector=RED)
    blue, _ = world.consume(queue, selector=BLUE)
    paint(world, queue, "r1", "r2")
    red.take()
    world.node.sessions[of_red.consumer.session_id].close()
    assert blue.bodies() == []
    red, _ = world.consume(queue, selector=RED)
    assert [(one.body, one.deliveries) for one in red.take()] == [("r1", 2), ("r2", 2)]


def test_two_consumers_with_the_same_selector_share(world: World, queue: Queue) -> None:
    first, _ = world.consume(queue, selector=RED, prefetch=2)
    second, _ = world.consume(queue, selector=RED, prefetch=2)
    paint(world, queue, "r1", "r2", "r3", "r4", "r5")
    assert sorted(first.bodies() + second.bodies()) == ["r1", "r2", "r3", "r4"]


def test_no_more_is_looked_at_than_the_limit_says() -> None:
    world = World(queue_look_ahead_max=3)
    queue = world.node.queue("q")
    red, _ = world.consume(queue, selector=RED)
    paint(world, queue, "b1", "b2", "b3", "b4", "r1")
    statistics = queue.statistics()
    assert (red.bodies(), statistics.passed_over, statistics.look_ahead_full) == ([], 3, True)
    blue, _ = world.consume(queue, selector=BLUE)
    assert (blue.bodies(), red.bodies()) == (["b1", "b2", "b3", "b4"], ["r1"])
    assert not queue.statistics().look_ahead_full


def test_as_many_messages_are_read_as_it_takes_to_find_those_that_somebody_may_have(world: World, queue: Queue) -> None:
    world.consume(queue, selector=RED)
    paint(world, queue, *(f"{'r' if number % 10 == 0 else 'b'}{number}" for number in range(300)))
    assert 45 <= queue.look_ahead().reach(5) <= 55


def test_what_is_set_aside_because_nobody_has_room_makes_nobody_read_more_at_a_time(world: World, queue: Queue) -> None:
    queue.note_grouped()
    _, subscription = world.consume(queue, prefetch=1)
    paint(world, queue, *(f"b{number}" for number in range(20)))
    for number in range(1, 20):
        world.acknowledge(subscription.consumer, number)
    assert queue.look_ahead().reach(5) == 5


def test_large_messages_are_looked_at_as_far_as_the_bytes_allow() -> None:
    world = World(queue_look_ahead_bytes_max=65536)
    queue = world.node.queue("q")
    red, _ = world.consume(queue, selector=RED)
    for body in ("b" * 70_000, "r1"):
        paint(world, queue, body)
    assert (red.bodies(), queue.statistics().passed_over, queue.statistics().look_ahead_full) == ([], 1, True)
    queue.purge()
    assert world.node.pressure.look_ahead_bytes == 0
    paint(world, queue, "r2")
    assert red.bodies() == ["r2"]


def test_a_purge_takes_what_is_set_aside(world: World, queue: Queue) -> None:
    world.consume(queue, selector=RED)
    paint(world, queue, "b1", "r1", "b2")
    assert queue.purge() == 2
    world.settle_down()
    statistics = queue.statistics()
    assert (statistics.ready, statistics.passed_over, statistics.settled, statistics.in_flight) == (0, 0, 2, 1)
    blue, _ = world.consume(queue, selector=BLUE)
    assert blue.bodies() == []


def test_what_expires_while_it_is_set_aside_goes(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(message_ttl_ms=1000))
    world.consume(queue, selector=RED)
    common, crc = prefix(world.clock.now_ms(), b"colour:blue\n\n")
    queue.publish(encode(common, crc, b"b1"))
    world.settle_down()
    assert queue.statistics().passed_over == 1
    world.clock.advance(2)
    queue.dispatcher.sweep()
    world.settle_down()
    assert (queue.statistics().passed_over, queue.statistics().expired, queue.statistics().ready) == (0, 1, 0)


def test_the_oldest_that_are_set_aside_go_first_when_the_queue_is_too_long(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=2))
    world.consume(queue, selector=RED)
    paint(world, queue, "b1", "b2", "b3", "b4")
    assert (queue.statistics().ready, queue.statistics().dropped) == (2, 2)
    blue, _ = world.consume(queue, selector=BLUE)
    assert blue.bodies() == ["b3", "b4"]


def test_a_new_delivery_limit_counts_no_delivery_for_what_was_set_aside(world: World) -> None:
    queue = world.node.declare_queue("q")
    world.consume(queue, selector=RED)
    paint(world, queue, "b1", "b2")
    queue.apply(QueueOptions(delivery_limit=1))
    world.settle_down()
    blue, _ = world.consume(queue, selector=BLUE)
    assert blue.bodies() == ["b1", "b2"]


def test_a_deleted_queue_gives_its_memory_back(world: World, queue: Queue) -> None:
    world.consume(queue, selector=RED)
    paint(world, queue, "b1")
    assert world.node.pressure.look_ahead_bytes > 0
    world.node.delete_queue(queue.name)
    assert world.node.pressure.look_ahead_bytes == 0


def test_nothing_is_looked_at_while_the_queue_is_paused(world: World, queue: Queue) -> None:
    red, _ = world.consume(queue, selector=RED)
    queue.pause()
    paint(world, queue, "r1", "b1")
    assert (red.bodies(), queue.statistics().passed_over) == ([], 0)
    queue.resume()
    world.settle_down()
    assert red.bodies() == ["r1"]


# Groups -------------------------------------------------------------------------------------------------------------


def test_a_group_is_with_one_consumer_as_long_as_something_of_it_is_out(world: World, queue: Queue) -> None:
    sinks = [world.consume(queue, prefetch=2) for _ in range(3)]
    group(world, queue, "a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3")
    got = [sink.bodies() for sink, _ in sinks]
    assert sorted(got) == [["a1", "a2"], ["b1", "b2"], ["c1", "c2"]]
    assert queue.statistics().ready == 3


def test_a_slow_group_stops_nobody(world: World, queue: Queue) -> None:
    slow, _ = world.consume(queue, prefetch=1)
    quick, of_quick = world.consume(queue, prefetch=1)
    group(world, queue, "a1", "a2", "a3", *(f"b{number}" for number in range(20)))
    assert slow.bodies() == ["a1"]
    for number in range(20):
        assert quick.bodies() == [f"b{number}"]
        world.acknowledge(of_quick.consumer, *of_quick.consumer.unacknowledged)


def test_a_group_that_rests_goes_to_whoever_has_room(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue, prefetch=2)
    group(world, queue, "a1", "b1", "a2", "b2")
    second, _ = world.consume(queue, prefetch=2)
    assert second.bodies() == []
    assert queue.statistics().passed_over == 2
    first.blocked = True
    world.acknowledge(of_first.consumer, 1)
    assert (list(of_first.consumer.unacknowledged), second.bodies()) == ([2], ["a2"])


def test_a_group_that_rests_goes_on_with_who_settled_if_that_has_room(world: World, queue: Queue) -> None:
    _, of_first = world.consume(queue, prefetch=1)
    group(world, queue, "a1", "a2")
    second, _ = world.consume(queue, prefetch=5)
    world.acknowledge(of_first.consumer, 1)
    assert (list(of_first.consumer.unacknowledged), second.bodies()) == ([2], [])


def test_a_group_goes_on_with_its_last_consumer_if_that_has_room(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue)
    group(world, queue, "a1")
    second, _ = world.consume(queue)
    for number in range(2, 6):
        world.acknowledge(of_first.consumer, *of_first.consumer.unacknowledged)
        group(world, queue, f"a{number}")
    assert (first.bodies(), second.bodies()) == (["a1", "a2", "a3", "a4", "a5"], [])
    assert queue.statistics().groups == 1


def test_a_group_that_was_closed_goes_to_anybody(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue)
    group(world, queue, "a1", more=b"JMSXGroupSeq:-1\n")
    second, _ = world.consume(queue)
    world.acknowledge(of_first.consumer, 1)
    queue.dispatcher.settle(of_first.consumer, [])
    group(world, queue, "x1")  # it is the second one's turn now
    group(world, queue, "a2")
    assert "a2" in first.bodies() + second.bodies()


def test_when_a_consumer_leaves_its_groups_go_on_elsewhere_in_their_order(world: World, queue: Queue) -> None:
    _, of_first = world.consume(queue, prefetch=2)
    group(world, queue, "a1", "a2", "a3", "a4")
    second, _ = world.consume(queue)
    assert second.bodies() == []
    world.node.sessions[of_first.consumer.session_id].close()
    world.settle_down()
    assert second.bodies() == ["a1", "a2", "a3", "a4"]


def test_a_returned_message_of_a_group_goes_before_those_that_wait(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue, prefetch=1)
    group(world, queue, "a1", "a2")
    assert first.bodies() == ["a1"]
    world.give_back(of_first.consumer, 1)
    assert [(one.body, one.deliveries) for one in first.take()] == [("a1", 2)]
    world.acknowledge(of_first.consumer, 1)
    assert first.bodies() == ["a2"]


def test_a_transaction_keeps_its_group_until_its_end(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue, prefetch=1)
    second, _ = world.consume(queue, prefetch=5)
    group(world, queue, "a1", "a2")
    assert first.bodies() == ["a1"]
    consumer = of_first.consumer
    session = world.node.sessions[consumer.session_id]
    session.begin("t")
    session.transaction("t").acknowledge(consumer, [1])
    world.settle_down()
    assert second.bodies() == []
    session.commit("t")
    world.settle_down()
    assert first.bodies() + second.bodies() == ["a2"]


def test_messages_without_a_group_go_to_anybody_beside_groups(world: World, queue: Queue) -> None:
    first, _ = world.consume(queue, prefetch=3)
    second, _ = world.consume(queue, prefetch=3)
    queue.note_grouped()
    for body, headers in ("a1", b"JMSXGroupID:a\n\n"), ("x1", b"\n"), ("a2", b"JMSXGroupID:a\n\n"), ("x2", b"\n"):
        queue.publish(record(body, headers))
    world.settle_down()
    assert sorted(first.bodies() + second.bodies()) == ["a1", "a2", "x1", "x2"]


def test_nothing_of_a_group_overtakes_a_message_that_nobody_there_selects(world: World, queue: Queue) -> None:
    red, of_red = world.consume(queue, selector=RED)
    queue.note_grouped()
    for body, colour in ("1", b"red"), ("2", b"blue"), ("3", b"red"):
        queue.publish(record(body, b"JMSXGroupID:g\ncolour:%b\n\n" % colour))
    world.settle_down()
    assert red.bodies() == ["1"]
    blue, of_blue = world.consume(queue, selector=BLUE)
    assert blue.bodies() == []
    world.acknowledge(of_red.consumer, 1)
    assert blue.bodies() == ["2"]
    world.acknowledge(of_blue.consumer, 2)
    assert red.bodies() == ["3"]


def test_a_group_of_which_nothing_is_left_takes_no_memory(world: World, queue: Queue) -> None:
    _, subscription = world.consume(queue)
    group(world, queue, *(f"{chr(number)}" for number in range(0x4E00, 0x4E00 + 50)))
    assert queue.statistics().groups == 50
    world.acknowledge(subscription.consumer, *subscription.consumer.unacknowledged)
    assert queue.statistics().groups == 0


def test_many_groups_and_consumers_keep_every_group_in_order(world: World, queue: Queue) -> None:
    groups = "abcdefghij"
    subscriptions = [world.consume(queue, prefetch=3) for _ in range(4)]
    group(world, queue, *(f"{name}{number:02}" for number in range(30) for name in groups))
    done: list[str] = []
    while queue.statistics().ready or queue.statistics().in_flight:
        before = len(done)
        for turn, (sink, subscription) in enumerate(subscriptions):
            consumer = subscription.consumer
            held = {one.seq: one.body for one in sink.take()}
            owners = _owners(subscriptions)
            assert all(len(found) == 1 for found in owners.values())
            if turn == 2 and len(consumer.unacknowledged) > 1 and len(done) % 3 == 0:
                world.give_back(consumer, *list(consumer.unacknowledged)[-1:])
                held = {one.seq: one.body for one in sink.take()} | held
            for seq in list(consumer.unacknowledged)[:2]:
                done.append(_body(queue, seq, held))
                world.acknowledge(consumer, seq)
        assert len(done) > before
    for name in groups:
        of_group = [int(body[1:]) for body in done if body[0] == name]
        assert sorted(of_group) == list(range(30))
        assert all(a < b for a, b in pairwise(of_group))


def _owners(subscriptions: list[tuple[FakeSink, Subscription]]) -> dict[str, set[int]]:
    owners: dict[str, set[int]] = {}
    for number, (_, subscription) in enumerate(subscriptions):
        for seq in subscription.consumer.unacknowledged:
            owners.setdefault("abcdefghij"[(seq - 1) % 10], set()).add(number)
    return owners


def _body(queue: Queue, seq: int, held: dict[int, str]) -> str:
    return f"{'abcdefghij'[(seq - 1) % 10]}{(seq - 1) // 10:02}"


# Priorities ---------------------------------------------------------------------------------------------------------


def test_of_what_is_set_aside_the_highest_priority_goes_first(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    world.consume(queue, selector=RED)
    for body, priority in ("low", b"1"), ("none", None), ("high", b"9"), ("higher", b"9"):
        said = b"" if priority is None else b"priority:%b\n" % priority
        queue.publish(record(body, b"colour:blue\n%b\n" % said))
    world.settle_down()
    assert queue.statistics().passed_over == 4
    blue, _ = world.consume(queue, selector=BLUE)
    assert [(one.body, one.deliveries) for one in blue.take()] == [("high", 1), ("higher", 1), ("none", 1), ("low", 1)]


def test_what_is_set_aside_stays_when_a_queue_gets_priorities_and_loses_them(world: World, queue: Queue) -> None:
    world.consume(queue, selector=RED)
    paint(world, queue, "b1", "b2")
    queue.apply(QueueOptions(priority_max=9))
    queue.publish(record("b9", b"colour:blue\npriority:9\n\n"))
    world.settle_down()
    assert queue.statistics().passed_over == 3
    queue.apply(QueueOptions())
    world.settle_down()
    blue, _ = world.consume(queue, selector=BLUE)
    assert [(one.body, one.deliveries) for one in blue.take()] == [("b9", 1), ("b1", 1), ("b2", 1)]


def test_groups_keep_to_one_consumer_over_priorities(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    first, of_first = world.consume(queue, prefetch=1)
    queue.note_grouped()
    for body, priority in ("1", b"1"), ("5", b"5"), ("9", b"9"):
        queue.publish(record(body, b"JMSXGroupID:g\npriority:%b\n\n" % priority))
    world.settle_down()
    second, _ = world.consume(queue)
    assert (first.bodies(), second.bodies()) == (["9"], [])
    world.acknowledge(of_first.consumer, *of_first.consumer.unacknowledged)
    assert (first.bodies(), second.bodies()) == (["5"], [])


# Who is served ------------------------------------------------------------------------------------------------------


def test_of_single_active_consumers_one_gets_everything_and_the_next_takes_over(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(single_active=True))
    first, of_first = world.consume(queue, prefetch=2)
    second, _ = world.consume(queue)
    world.publish(queue, "a", "b", "c")
    assert (first.bodies(), second.bodies()) == (["a", "b"], [])
    world.node.sessions[of_first.consumer.session_id].close()
    world.settle_down()
    assert [(one.body, one.deliveries) for one in second.take()] == [("a", 2), ("b", 2), ("c", 1)]


def test_single_active_can_be_given_to_a_queue_that_has_consumers_and_taken_again(world: World, queue: Queue) -> None:
    first, _ = world.consume(queue)
    second, _ = world.consume(queue)
    queue.apply(QueueOptions(single_active=True))
    world.publish(queue, "a", "b", "c", "d")
    assert (first.bodies(), second.bodies()) == (["a", "b", "c", "d"], [])
    queue.apply(QueueOptions())
    world.publish(queue, "e", "f", "g", "h")
    assert first.bodies()
    assert second.bodies()


def test_an_exclusive_consumer_is_served_alone_while_it_is_there(world: World, queue: Queue) -> None:
    plain, _ = world.consume(queue)
    alone, of_alone = world.consume(queue, alone=True)
    world.publish(queue, "a", "b")
    assert (plain.bodies(), alone.bodies()) == ([], ["a", "b"])
    world.acknowledge(of_alone.consumer, 1, 2)
    world.node.sessions[of_alone.consumer.session_id].close()
    world.publish(queue, "c")
    assert plain.bodies() == ["c"]


def test_a_consumer_of_a_higher_rank_is_served_first(world: World, queue: Queue) -> None:
    low, _ = world.consume(queue, prefetch=5)
    high, of_high = world.consume(queue, prefetch=2, rank=10)
    world.publish(queue, "a", "b", "c")
    assert (high.bodies(), low.bodies()) == (["a", "b"], ["c"])
    world.acknowledge(of_high.consumer, 1)
    world.publish(queue, "d")
    assert (high.bodies(), low.bodies()) == (["d"], [])


@pytest.mark.parametrize("selector", [None, RED])
def test_consumers_of_the_same_rank_take_turns(world: World, queue: Queue, selector: object) -> None:
    sinks = [world.consume(queue, rank=1, selector=selector)[0] for _ in range(2)]
    for number in range(4):
        paint(world, queue, f"r{number}")
    assert [len(sink.bodies()) for sink in sinks] == [2, 2]
