"""Queues with priorities: in which order messages go out, and that nothing else is different."""

from __future__ import annotations

import pytest

from segue.broker.browse import Browser
from segue.broker.dead_letters import Reason
from segue.broker.errors import LimitReachedError
from segue.broker.levels import Levels
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.selector import compile_selector
from tests.unit.broker.actors import FakeSink, World, body_of, record
from tests.unit.broker.leveled import IN_ORDER, MIXED, declare, levels_of, message, publish, spill


@pytest.fixture
def queue(world: World) -> Queue:
    return declare(world)


# In which order -----------------------------------------------------------------------------------------------------


def test_the_highest_goes_first_and_within_a_level_the_oldest(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    sink, _ = world.consume(queue)
    assert sink.bodies() == IN_ORDER


def test_it_is_so_from_disk_too(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    spill(world, queue)
    sink, _ = world.consume(queue)
    assert sink.bodies() == IN_ORDER


def test_consumers_with_little_credit_get_the_highest_that_is_there_each_time(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED[:4])
    sink, subscription = world.consume(queue, prefetch=1)
    got = []
    for later in (MIXED[4:], [], [], [], [], [], []):
        publish(world, queue, *later)
        (delivery,) = sink.take()
        got.append(delivery.body)
        world.acknowledge(subscription.consumer, delivery.seq)
    assert got == IN_ORDER


def test_a_message_that_comes_back_goes_out_before_the_others_of_its_level_and_behind_higher_ones(
    world: World, queue: Queue
) -> None:
    low, *_ = publish(world, queue, ("low 1", 1), ("low 2", 1))
    sink, subscription = world.consume(queue, prefetch=1)
    assert sink.bodies() == ["low 1"]
    publish(world, queue, ("high", 8))
    world.give_back(subscription.consumer, low)
    assert sink.bodies() == ["high"]
    world.acknowledge(subscription.consumer, *subscription.consumer.unacknowledged)
    (again,) = sink.take()
    assert (again.body, again.deliveries, again.redelivered) == ("low 1", 2, True)
    world.acknowledge(subscription.consumer, again.seq)
    assert sink.bodies() == ["low 2"]


def test_numbers_are_unique_and_rise_within_a_level(world: World, queue: Queue) -> None:
    numbers = publish(world, queue, *[(str(n), n % 10) for n in range(100)])
    sink, _ = world.consume(queue)
    delivered = {one.body: one.seq for one in sink.take()}
    assert [delivered[str(n)] for n in range(100)] == numbers
    assert len(set(numbers)) == 100
    for level in range(10):
        assert numbers[level::10] == list(range(numbers[level], numbers[level] + 10))
    assert max(numbers) < 1 << 63


def test_levels_are_made_when_they_are_needed_and_not_for_the_middle(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", None), ("b", 4))
    assert len(world.store.logs) == 1
    publish(world, queue, ("c", 9), ("d", 9), ("e", 250))
    assert len(world.store.logs) == 2


def test_what_is_on_its_way_from_disk_is_waited_for(world: World, queue: Queue) -> None:
    publish(world, queue, ("high", 9))
    spill(world, queue)
    publish(world, queue, ("low", 1))
    sink = FakeSink()
    world.session().subscribe_queue(queue, sink, prefetch=10, settles=True)
    world.node.end_step()
    while world.store.under_way:
        world.store.sync()
    assert sink.bodies() == []
    world.settle_down()
    assert sink.bodies() == ["high", "low"]


def test_what_the_disk_does_not_give_holds_up_nobody(world: World, queue: Queue) -> None:
    returned, *_ = publish(world, queue, ("high", 9), ("higher", 10))
    spill(world, queue)
    publish(world, queue, ("low", 1))
    level = next(iter(levels_of(queue)))
    level.cursor.fault = "Input/output error"
    sink, subscription = world.consume(queue)
    assert sink.bodies() == ["low"]
    assert queue.cursor.fault == "Input/output error"
    level.cursor.fault = ""
    queue.dispatcher.dispatch()
    world.settle_down()
    assert sink.bodies() == ["high", "higher"]
    level.cursor.fault = "Input/output error"
    spill(world, queue)
    world.give_back(subscription.consumer, returned)
    publish(world, queue, ("low", 1))
    assert sink.bodies() == ["low"], "a returned message that can't be read does not hold it up either"


def test_when_all_that_is_left_of_a_level_is_damaged_the_next_one_goes_on(world: World, queue: Queue) -> None:
    """Also where what goes on has to be a message that came back."""
    low, *_ = publish(world, queue, ("low", 1))
    sink, subscription = world.consume(queue, prefetch=1)
    publish(world, queue, ("high", 9))
    spill(world, queue)
    high = levels_of(queue).log_of(9)
    del world.store.spilled[high.id][1]
    world.give_back(subscription.consumer, low)
    assert sink.bodies() == ["low", "low"]


# Consumers and what they hold -----------------------------------------------------------------------------------------


def test_acknowledgements_reach_the_level_of_each_message(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    sink, subscription = world.consume(queue)
    held = [one.seq for one in sink.take()]
    world.acknowledge(subscription.consumer, *held[::2], *held[1::2])
    found = queue.statistics()
    assert (found.ready, found.in_flight, found.settled, found.published) == (0, 0, 7, 7)
    assert queue.cursor.holes() == {}
    assert all(not log.hot for log in queue.logs)


def test_a_checkpoint_sees_of_each_level_what_is_out_in_transactions_too(world: World, queue: Queue) -> None:
    numbers = publish(world, queue, ("a", 9), ("b", 0), ("c", None), ("d", 9))
    _, subscription = world.consume(queue)
    session = world.node.sessions[subscription.consumer.session_id]
    session.begin("t")
    session.transaction("t").acknowledge(subscription.consumer, numbers[:2])
    assert queue.cursor.holes() == dict.fromkeys(numbers, 1)
    by_level = {level.rank: (level.cursor.holes(), level.cursor.low()) for level in levels_of(queue)}
    assert by_level == {9: ({1: 1, 2: 1}, 1), 4: ({1: 1}, 1), 0: ({1: 1}, 1)}
    session.commit("t")
    assert queue.cursor.holes() == dict.fromkeys(numbers[2:], 1)


def test_a_consumer_that_leaves_gives_everything_back_to_its_place(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert queue.statistics().returned == 7
    sink, _ = world.consume(queue)
    assert sink.bodies() == IN_ORDER


def test_no_more_than_a_queue_may_have_is_out_over_all_levels(world: World) -> None:
    world = World(queue_in_flight_max=3)
    queue = declare(world)
    publish(world, queue, *MIXED)
    sink, _ = world.consume(queue)
    assert sink.bodies() == IN_ORDER[:3]


def test_what_may_have_been_out_before_a_crash_says_so_at_its_level(world: World, queue: Queue) -> None:
    publish(world, queue, ("a", 9), ("b", 9), ("c", 2), ("d", 2), ("e", 2))
    for level, cursor in [(level.rank, level.cursor) for level in levels_of(queue)]:
        cursor.maybe = {9: 2, 2: 3}.get(level, 0)
    sink, _ = world.consume(queue)
    assert [(one.body, one.redelivered) for one in sink.take()] == [
        ("a", True),
        ("b", False),
        ("c", True),
        ("d", True),
        ("e", False),
    ]


def promised(world: World, queue: Queue) -> Levels:
    """The levels of a queue that nobody has read from, and all of which may be read."""
    levels = levels_of(queue)
    for level in levels:
        level.cursor.read(1)
    world.store.want()
    world.settle_down()
    return levels


def test_one_read_takes_from_several_levels_and_across_their_gaps(world: World, queue: Queue) -> None:
    numbers = publish(world, queue, *MIXED, ("h", 9), ("i", 9))
    order = [numbers[at] for at in (1, 4, 7, 8, 6, 2, 3, 0, 5)]
    levels = promised(world, queue)
    levels.settle_ahead([order[1]])
    assert levels.read_across(4)[0] == [order[0], *order[2:5]]
    found, records = levels.read_across(9)
    assert (found, [body_of(one) for one in records]) == (order[5:], ["c", "d", "a", "f"])
    assert levels.read_across(9) == ([], [])


def test_one_read_of_several_levels_is_bounded_by_bytes_as_one_of_a_level_is(world: World, queue: Queue) -> None:
    large = b"x" * 400_000
    for priority in (9, 8, 7, 6, 5):
        queue.publish(record(large, b"priority:%d\n\n" % priority))
    world.node.store.want()
    world.settle_down()
    levels = promised(world, queue)
    assert [len(levels.read_across(9)[0]) for _ in range(3)] == [3, 2, 0]


# What else a queue does -----------------------------------------------------------------------------------------------


def test_a_purge_empties_every_level_and_leaves_what_is_out(world: World, queue: Queue) -> None:
    publish(world, queue, *MIXED)
    sink, subscription = world.consume(queue, prefetch=3)
    world.give_back(subscription.consumer, sink.take()[0].seq)
    subscription.consumer.prefetch = 0
    assert queue.purge() == 4
    found = queue.statistics()
    assert (found.ready, found.in_flight, found.settled) == (0, 3, 4)


def test_what_is_past_its_deadline_goes_at_every_level_without_a_consumer(world: World, queue: Queue) -> None:
    queue.note_expiring()
    now_ms = world.clock.now_ms()
    for level in range(10):
        for number in range(3):
            lives_ms = 100 if number < 2 else 100_000
            queue.publish(message(f"{level}{number}", level, now_ms + lives_ms, now_ms))
    world.node.store.want()
    world.settle_down()
    world.clock.advance(2)
    world.node.sweep()
    world.settle_down()
    assert (queue.statistics().expired, queue.statistics().ready) == (20, 10)
    sink, _ = world.consume(queue)
    assert sink.bodies() == [f"{level}2" for level in range(9, -1, -1)]


def test_nothing_is_delivered_after_its_deadline(world: World, queue: Queue) -> None:
    queue.note_expiring()
    now_ms = world.clock.now_ms()
    for priority, body, lives_ms in [(9, "a", 9000), (9, "b", 100), (9, "c", 9000), (1, "d", 100), (1, "e", 9000)]:
        queue.publish(message(body, priority, now_ms + lives_ms, now_ms))
    world.node.store.want()
    world.settle_down()
    world.clock.advance(1)
    sink, _ = world.consume(queue)
    for _ in range(3):
        world.settle_down()
    assert sink.bodies() == ["a", "c", "e"]


def test_the_oldest_of_the_lowest_level_go_for_newer_ones(world: World) -> None:
    queue = declare(world, messages_max=4)
    publish(world, queue, *MIXED)
    assert queue.statistics().dropped == 3
    sink, _ = world.consume(queue)
    assert sink.bodies() == ["b", "e", "g", "d"]


def test_what_is_dropped_for_newer_ones_goes_to_the_dead_letter_queue(world: World) -> None:
    queue = declare(world, messages_max=4, dead_letter="dead")
    publish(world, queue, *MIXED)
    sink, _ = world.consume(world.node.queue("dead"))
    assert sink.bodies() == ["a", "f", "c"]


def test_a_full_queue_refuses_whatever_the_priority(world: World) -> None:
    queue = declare(world, messages_max=3, overflow=REFUSE)
    publish(world, queue, ("a", 1), ("b", 2), ("c", None))
    with pytest.raises(LimitReachedError):
        queue.publish(message("d", 9))
    assert queue.cursor.waiting == 3


def test_condemned_messages_of_each_level_become_dead_letters_and_keep_their_priority(world: World) -> None:
    dead = declare(world, "dead")
    queue = declare(world, dead_letter="dead")
    publish(world, queue, ("a", 1), ("b", 8), ("c", None))
    sink, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(
        subscription.consumer, [one.seq for one in sink.take()]
    )
    world.settle_down()
    assert queue.statistics().dead_lettered == 3
    letters, _ = world.consume(dead)
    assert letters.bodies() == ["b", "c", "a"]


def test_messages_that_come_back_too_often_are_dead_at_every_level(world: World) -> None:
    queue = declare(world, delivery_limit=1, dead_letter="dead")
    numbers = publish(world, queue, ("a", 1), ("b", 8), ("c", None))
    _, subscription = world.consume(queue)
    world.give_back(subscription.consumer, *numbers)
    sink, _ = world.consume(world.node.queue("dead"))
    assert sorted(sink.bodies()) == ["a", "b", "c"]
    assert queue.statistics().in_flight == 0


def test_dead_letters_that_are_stuck_stay_where_they_are(world: World) -> None:
    dead = declare(world, "dead", messages_max=1, overflow=REFUSE)
    queue = declare(world, dead_letter="dead")
    numbers = publish(world, queue, ("a", 1), ("b", 8))
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, numbers)
    world.settle_down()
    assert (len(queue.cursor.condemned), queue.statistics().ready) == (1, 0)
    assert [number in queue.cursor.condemned for number in numbers] == [True, False]
    dead.purge()
    world.node.sweep()
    world.settle_down()
    assert len(queue.cursor.condemned) == 0
    assert not queue.cursor.returned


async def test_a_browser_shows_messages_in_the_order_in_which_they_would_be_delivered(
    world: World, queue: Queue
) -> None:
    numbers = publish(world, queue, *MIXED)
    _, subscription = world.consume(queue, prefetch=2)
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    spill(world, queue)
    browser, shown = Browser(queue), []
    while chunk := await browser.chunk(100):
        shown += [(number, body_of(data)) for number, data in chunk]
    by_body = dict(zip([body for body, _ in MIXED], numbers, strict=True))
    assert shown == [(by_body[body], body) for body in IN_ORDER]


def test_messages_can_be_settled_ahead_of_their_turn(world: World, queue: Queue) -> None:
    numbers = publish(world, queue, *MIXED)
    queue.cursor.settle_ahead([numbers[5], numbers[4]])
    assert queue.statistics().ready == 5
    sink, _ = world.consume(queue)
    assert sink.bodies() == ["b", "g", "c", "d", "a"]


def test_consumers_that_select_get_the_highest_of_what_they_select(world: World, queue: Queue) -> None:
    sinks = [world.consume(queue, prefetch=2, selector=compile_selector(f"kind = '{kind}'")) for kind in "xy"]
    for number, priority in enumerate([0, 9, 4, 4, 9, 0, 5, 5]):
        queue.publish(record(f"{number}", b"priority:%d\nkind:%b\n\n" % (priority, b"xy"[number % 2 :][:1])))
    world.node.store.want()
    world.settle_down()
    assert [sink.bodies() for sink, _ in sinks] == [["4", "6"], ["1", "7"]]
    for _, subscription in sinks:
        world.acknowledge(subscription.consumer, *subscription.consumer.unacknowledged)
    assert [sink.bodies() for sink, _ in sinks] == [["2", "0"], ["3", "5"]]


def test_what_nobody_selects_holds_up_its_own_level_and_no_higher_one() -> None:
    world = World(queue_look_ahead_max=3)
    queue = declare(world)
    sink, subscription = world.consume(queue, prefetch=2, selector=compile_selector("kind = 'x'"))
    for number in range(5):
        queue.publish(record(f"low {number}", b"priority:0\nkind:%b\n\n" % (b"x" if number == 4 else b"y")))
    world.node.store.want()
    world.settle_down()
    assert sink.bodies() == []
    assert (queue.statistics().passed_over, queue.statistics().look_ahead_full) == (3, True)
    for number in range(4):
        queue.publish(record(f"high {number}", b"priority:9\nkind:%b\n\n" % (b"x" if number > 1 else b"y")))
    world.node.store.want()
    world.settle_down()
    assert sink.bodies() == ["high 2", "high 3"]
    assert queue.statistics().passed_over == 5
    world.node.sessions[subscription.consumer.session_id].close()
    everything, _ = world.consume(queue)
    assert everything.bodies() == [*[f"high {n}" for n in range(4)], *[f"low {n}" for n in range(5)]]


def test_an_urgent_message_goes_before_one_that_was_set_aside_for_the_same_consumer(world: World, queue: Queue) -> None:
    _, full = world.consume(queue, prefetch=1, selector=compile_selector("kind = 'x'"))
    sink, other = world.consume(queue, prefetch=3, selector=compile_selector("kind = 'y'"))
    for body, priority, kind in [("a", 1, b"x"), ("b", 1, b"x"), ("c", 0, b"y"), ("d", 5, b"x")]:
        queue.publish(record(body, b"priority:%d\nkind:%b\n\n" % (priority, kind)))
        world.node.store.want()
        world.settle_down()
    assert sink.bodies() == ["c"]
    consumer = full.consumer
    got = []
    while consumer.unacknowledged:
        (number,) = consumer.unacknowledged
        got.append(number >> 48)
        world.acknowledge(consumer, number)
    assert got == [2, 6, 2]
    assert other.consumer.credit == 2


@pytest.mark.parametrize("dead_letter", ["", "dead"])
def test_what_nobody_selects_goes_for_newer_ones_by_its_level_too(world: World, dead_letter: str) -> None:
    queue = declare(world, messages_max=4, dead_letter=dead_letter)
    world.consume(queue, selector=compile_selector("kind = 'x'"))
    publish(world, queue, *MIXED)
    assert queue.statistics().dropped == 3
    assert [level.cursor.ready for level in levels_of(queue)] == [2, 1, 1, 0]
    publish(world, queue, ("h", 1), ("i", 10))
    assert [level.cursor.ready for level in levels_of(queue)] == [3, 1, 0, 0, 0]


def test_a_group_goes_on_in_the_order_of_its_priorities(world: World, queue: Queue) -> None:
    queue.note_grouped()
    sinks = [world.consume(queue, prefetch=1) for _ in range(2)]
    for body, priority in MIXED:
        queue.publish(record(body, b"JMSXGroupID:g\npriority:%d\n\n" % (4 if priority is None else priority)))
    world.node.store.want()
    world.settle_down()
    got = []
    while taken := [(one, subscription) for sink, subscription in sinks for one in sink.take()]:
        ((one, subscription),) = taken
        got.append(one.body)
        world.acknowledge(subscription.consumer, one.seq)
    assert got == IN_ORDER


# Ways into it ---------------------------------------------------------------------------------------------------------


def test_a_topic_brings_messages_to_their_levels_and_to_others_queues_in_one_write(world: World, queue: Queue) -> None:
    plain = world.node.queue("plain")
    for target in (queue, plain):
        world.node.bind(target, "t.*")
    for body, priority in MIXED:
        world.node.topic("t.x").publish(message(body, priority))
    world.node.store.want()
    world.settle_down()
    assert world.consume(queue)[0].bodies() == IN_ORDER
    assert world.consume(plain)[0].bodies() == [body for body, _ in MIXED]


def test_a_topic_finds_the_levels_of_a_queue_that_gets_priorities_later(world: World) -> None:
    queue = world.node.queue("q")
    world.node.bind(queue, "t")
    topic = world.node.topic("t")
    topic.publish(message("a", 0))
    queue.apply(QueueOptions(priority_max=9))
    topic.publish(message("b", 0))
    topic.publish(message("c", 9))
    world.node.store.want()
    world.settle_down()
    assert world.consume(queue)[0].bodies() == ["c", "a", "b"]


def test_messages_of_one_priority_have_a_way_of_their_own(world: World, queue: Queue) -> None:
    """A publisher with thousands of messages of one head does not have each of them looked at."""
    for body, priority in MIXED:
        queue.append_of(priority)(record(body))
    world.node.store.want()
    world.settle_down()
    assert world.consume(queue)[0].bodies() == IN_ORDER


# Statistics -----------------------------------------------------------------------------------------------------------


def test_statistics_are_sums_over_the_levels(world: World, queue: Queue) -> None:
    for accepted_ms, priority in [(500, 9), (100, 0), (900, 4)]:
        queue.publish(message("x", priority, accepted_ms=accepted_ms))
    world.node.store.want()
    world.settle_down()
    spill(world, queue)
    levels_of(queue).log_of(0).cursors[0].quarantined.add(1, 1, "a checksum")
    world.consume(queue, prefetch=1)
    found = queue.statistics()
    assert (found.published, found.ready, found.in_flight, found.segments) == (3, 2, 1, 3)
    assert found.quarantined == 1
    assert found.bytes == 3 * len(message("x", 9))
    assert queue.accepted == 3
    ((first, last, reason),) = queue.cursor.quarantined
    assert (first, last, reason) == (1 << 48 | 1, 1 << 48 | 1, "a checksum")
    assert queue.cursor.settle_quarantined() == 1
    assert not queue.cursor.quarantined


def test_the_oldest_message_is_looked_for_at_every_level(world: World, queue: Queue) -> None:
    for accepted_ms, priority in [(500, 9), (100, 0), (900, 4)]:
        queue.publish(message("x", priority, accepted_ms=accepted_ms))
    world.node.store.want()
    world.settle_down()
    assert queue.statistics().oldest_ms == 100


def test_a_condemned_message_has_its_reason_whatever_its_level(world: World) -> None:
    queue = declare(world, dead_letter="dead")
    numbers = publish(world, queue, ("a", 9), ("b", 0))
    dead = declare(world, "dead", messages_max=0, overflow=REFUSE)
    _, subscription = world.consume(queue)
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, numbers)
    world.settle_down()
    standings = [queue.cursor.returned[number] for number in numbers]
    assert [standing >> 32 for standing in standings] == [Reason.REJECTED, Reason.REJECTED]
    assert dead.statistics().published == 0
