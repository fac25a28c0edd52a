"""Look-ahead beside other features of a queue: jobs, priorities, bounds, expiry, dead letters, policies, crashes."""

from __future__ import annotations

import pytest
import trio

from segue.broker.consumer import Consumer
from segue.broker.jobs import JobKind, JobOrder
from segue.broker.message import encode, prefix
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.removal import REMOVED_COST_MAX
from segue.broker.selector import Selector, compile_selector
from segue.storage.quarantine import Damage
from tests.unit.broker.actors import FakeSink, World, record

RED = compile_selector("colour = 'red'")
BLUE = compile_selector("colour = 'blue'")


def publish(world: World, queue: Queue, *messages: str) -> None:
    """Messages as `body [name:value ...]`: a `g` is a group, a `c` a colour, a `p` a priority."""
    names = {"g": "JMSXGroupID", "c": "colour", "p": "priority"}
    for message in messages:
        body, *headers = message.split()
        lines = [f"{names[header[0]]}:{header[2:]}\n" for header in headers]
        encoded = record(body, "".join([*lines, "\n"]).encode())
        queue.note(encoded)
        queue.publish(encoded)
    world.settle_down()


def close(world: World, consumer: Consumer) -> None:
    """A consumer's connection ends."""
    world.node.sessions[consumer.session_id].close()
    world.settle_down()


def acknowledge_all(world: World, consumer: Consumer) -> None:
    """A consumer is done with what it has."""
    world.acknowledge(consumer, *consumer.unacknowledged)


def move_all(world: World, queue: Queue, to: str, only: str = "") -> None:
    """A job moves what is ready."""
    job = world.node.jobs.start(JobOrder(JobKind.MOVE, queue.name, to, only, 0, 0))

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.node.jobs.serve)
            while not job.ended.is_set():
                await trio.testing.wait_all_tasks_blocked()
                world.settle_down()
            nursery.cancel_scope.cancel()

    trio.run(run)


@pytest.fixture
def sorted_queue(world: World) -> Queue:
    return world.node.declare_queue("sorted", options=QueueOptions(priority_max=9))


# Jobs ---------------------------------------------------------------------------------------------------------------


def test_what_a_job_moves_is_not_delivered_here_too_though_it_was_set_aside(world: World, queue: Queue) -> None:
    world.consume(queue, selector=RED)
    publish(world, queue, "b1 c:blue", "b2 c:blue")
    move_all(world, queue, "other")
    blue, _ = world.consume(queue, selector=BLUE)
    moved, _ = world.consume(world.node.queues["other"])
    assert (blue.bodies(), moved.bodies()) == ([], ["b1", "b2"])
    assert (queue.statistics().passed_over, world.node.pressure.look_ahead_bytes) == (0, 0)


def test_a_group_goes_on_when_a_job_has_moved_its_first_message(world: World, queue: Queue) -> None:
    red, _ = world.consume(queue, selector=RED)
    publish(world, queue, "g1 g:g", "g2 g:g c:red", "x1")
    assert red.bodies() == []
    move_all(world, queue, "other", only="colour IS NULL")
    assert red.bodies() == ["g2"]


# Priorities ---------------------------------------------------------------------------------------------------------


def test_what_is_set_aside_does_not_overtake_what_waits_unread_of_a_higher_priority(
    world: World, sorted_queue: Queue
) -> None:
    red, of_red = world.consume(sorted_queue, selector=RED, prefetch=1)
    world.consume(sorted_queue, selector=BLUE, prefetch=1)
    publish(world, sorted_queue, "r1 c:red p:0", "r2 c:red p:0", "b1 c:blue p:0", "r9 c:red p:9")
    red.take()
    publish(world, sorted_queue, "r8 c:red p:8")
    acknowledge_all(world, of_red.consumer)
    acknowledge_all(world, of_red.consumer)
    acknowledge_all(world, of_red.consumer)
    assert red.bodies()[-1] == "r2"


def test_a_message_read_later_goes_before_those_of_lower_priority_that_were_set_aside(
    world: World, sorted_queue: Queue
) -> None:
    red, of_red = world.consume(sorted_queue, selector=RED, prefetch=1)
    world.consume(sorted_queue, selector=BLUE, prefetch=1)
    publish(world, sorted_queue, "r1 c:red p:0", "r2 c:red p:0", "b1 c:blue p:0")
    publish(world, sorted_queue, "r9 c:red p:9")
    assert red.bodies() == ["r1"]
    acknowledge_all(world, of_red.consumer)
    assert red.bodies() == ["r9"]


def test_a_returned_message_goes_before_others_of_its_group_though_something_higher_waits(
    world: World, sorted_queue: Queue
) -> None:
    first, of_first = world.consume(sorted_queue, prefetch=1)
    publish(world, sorted_queue, "g1 g:g p:0", "g2 g:g p:0")
    second, of_second = world.consume(sorted_queue, prefetch=1)
    publish(world, sorted_queue, "x1")
    assert (first.bodies(), second.bodies()) == (["g1"], ["x1"])
    publish(world, sorted_queue, "h1 p:9")
    close(world, of_first.consumer)
    for _ in range(3):
        acknowledge_all(world, of_second.consumer)
    assert second.bodies() == ["h1", "g1", "g2"]


def test_what_is_set_aside_is_bounded_for_each_level_so_that_none_holds_up_a_higher_one() -> None:
    world = World(queue_look_ahead_max=2)
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    red, _ = world.consume(queue, selector=RED)
    publish(world, queue, "b1 c:blue p:0", "b2 c:blue p:0", "b3 c:blue p:0")
    assert queue.statistics().look_ahead_full
    publish(world, queue, "b7 c:blue p:9", "r1 c:red p:9", "b8 c:blue p:9", "b9 c:blue p:9")
    assert queue.statistics().look_ahead_full
    assert (queue.statistics().passed_over, red.bodies()) == (4, ["r1"])
    blue, _ = world.consume(queue, selector=BLUE, prefetch=10)
    assert (blue.bodies(), red.bodies()) == (["b7", "b8", "b9", "b1", "b2", "b3"], [])


def test_a_bounded_queue_with_priorities_drops_what_is_set_aside_of_the_lowest(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=2, priority_max=9))
    world.consume(queue, selector=RED)
    for message in ("b1 c:blue", "b2 c:blue p:9", "b3 c:blue", "b4 c:blue"):
        publish(world, queue, message)
    assert (queue.statistics().ready, queue.statistics().dropped) == (2, 2)
    blue, _ = world.consume(queue, selector=BLUE)
    assert blue.bodies() == ["b2", "b4"]


def test_unread_messages_of_a_lower_priority_are_dropped_before_what_is_set_aside(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=3, priority_max=9))
    _, of_red = world.consume(queue, selector=RED, prefetch=1)
    publish(world, queue, "b1 c:blue p:9", "b2 c:blue p:9", "r1 c:red p:9")
    assert (of_red.consumer.credit, queue.statistics().passed_over) == (0, 2)
    publish(world, queue, "x1 p:0", "x2 p:0", "x3 p:9")
    blue, _ = world.consume(queue)
    assert blue.bodies() == ["b1", "b2", "x3"]


def test_after_a_crash_what_was_set_aside_of_a_level_may_be_a_repeat_and_says_so(
    world: World, sorted_queue: Queue
) -> None:
    world.consume(sorted_queue, selector=RED)
    publish(world, sorted_queue, "b1 c:blue")
    blue, _ = world.consume(sorted_queue, selector=BLUE)
    assert blue.bodies() == ["b1"]
    for cursor in world.store.cursors.values():  # as the journal has it: set aside, and never returned
        cursor.out = [dict.fromkeys(container, 0) for container in cursor.out]
    world.restart()
    plain, _ = world.consume(world.node.queues["sorted"])
    assert [(one.body, one.deliveries, one.redelivered) for one in plain.take()] == [("b1", 1, True)]


# Bounds of memory and of a step -------------------------------------------------------------------------------------


def test_a_message_that_returns_for_ever_leaves_nothing_behind(world: World, queue: Queue) -> None:
    _, of_plain = world.consume(queue, prefetch=1)
    publish(world, queue, "x1", "x2", "g1 g:g c:red", "g2 g:g c:red")
    red, of_red = world.consume(queue, prefetch=1, selector=RED)
    assert red.bodies() == ["g1"]
    look_ahead = queue.dispatcher.look_ahead
    assert look_ahead is not None
    for _ in range(5000):
        of_red.consumer.dispatcher.give_back(of_red.consumer.take_out([3]), of_red.consumer)
        queue.dispatcher.dispatch()
    assert max(map(len, look_ahead._lanes.values())) < 4200
    acknowledge_all(world, of_plain.consumer)
    acknowledge_all(world, of_red.consumer)
    assert red.bodies()[-1] == "g2"


def test_a_selector_that_many_consumers_have_is_asked_once_of_a_message_as_if_one_had_it(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    selector = compile_selector("colour = 'green'")
    session = world.session()
    for _ in range(50):
        session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, selector=selector)
    monkeypatch.setattr(Selector, "matches", lambda self, headers: asked.append(headers))
    publish(world, queue, "b1 c:blue")
    assert queue.statistics().passed_over == 1
    assert len(asked) == 1


def test_what_expires_while_it_is_set_aside_is_moved_in_steps(world: World) -> None:
    world.node.declare_queue("dead")
    queue = world.node.declare_queue("q", options=QueueOptions(message_ttl_ms=1000, dead_letter="dead"))
    world.consume(queue, selector=RED)
    common, crc = prefix(world.clock.now_ms(), b"colour:blue\n\n")
    for _ in range(600):
        queue.publish(encode(common, crc, b"b"))
    world.settle_down()
    world.clock.advance(2)
    queue.dispatcher.sweep()
    assert 0 < queue.dispatcher.expired <= REMOVED_COST_MAX // 4096
    for _ in range(3):
        world.settle_down()
    assert (queue.dispatcher.expired, queue.statistics().ready, world.node.queues["dead"].statistics().ready) == (
        600,
        0,
        600,
    )


def test_what_is_set_aside_is_looked_at_again_soon_though_the_first_unread_message_lives_long(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(message_ttl_ms=3_600_000))
    world.consume(queue, selector=RED, prefetch=1)
    publish(world, queue, "b1 c:blue", "r1 c:red")
    for _ in range(3):
        queue.publish(encode(*prefix(world.clock.now_ms(), b"\n"), b"lives"))
    world.settle_down()
    assert queue.dispatcher.sweep() <= 1


# Who is served ------------------------------------------------------------------------------------------------------


def test_who_stood_by_is_served_when_a_policy_no_longer_says_single_active(world: World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(single_active=True))
    first, _ = world.consume(queue, prefetch=1)
    second, _ = world.consume(queue, prefetch=1)
    publish(world, queue, "m1", "m2")
    assert (first.bodies(), second.bodies()) == (["m1"], [])
    queue.apply(QueueOptions())
    world.settle_down()
    assert second.bodies() == ["m2"]


def test_dead_letters_keep_to_their_group(world: World) -> None:
    dead = world.node.declare_queue("dead")
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    _, subscription = world.consume(queue)
    publish(world, queue, "g1 g:g", "g2 g:g")
    world.node.sessions[subscription.consumer.session_id].refuse(subscription.consumer, [1, 2])
    world.settle_down()
    first, of_first = world.consume(dead, prefetch=1)
    second, _ = world.consume(dead, prefetch=1)
    assert (first.bodies(), second.bodies()) == (["g1"], [])
    acknowledge_all(world, of_first.consumer)
    assert first.bodies() + second.bodies() == ["g2"]


class FailingSink(FakeSink):
    """Its connection, and another's with it, ends in the middle of a delivery."""

    def __init__(self, world: World, ends: list[Consumer]) -> None:
        super().__init__()
        self._world = world
        self._ends = ends

    def deliver(self, seqs: object, records: object, redelivered: bool) -> None:
        raise RuntimeError("broken")

    def failed(self, error: Exception) -> None:
        for consumer in self._ends:
            self._world.node.sessions[consumer.session_id].close()


def test_nothing_is_forgotten_when_the_last_selector_leaves_in_the_middle_of_a_step(world: World, queue: Queue) -> None:
    ends: list[Consumer] = []
    queue.look_ahead()
    session = world.session()
    subscription = session.subscribe_queue(queue, FailingSink(world, ends), prefetch=9, settles=True, selector=RED)
    ends.append(subscription.consumer)
    plain, _ = world.consume(queue, prefetch=2)
    publish(world, queue, "r1 c:red", "x1", "r2 c:red", "x2", "x3", "x4")
    later, _ = world.consume(queue, prefetch=99)
    assert sorted(plain.bodies() + later.bodies()) == ["r1", "r2", "x1", "x2", "x3", "x4"]
    assert queue.dispatcher.look_ahead is None


def test_what_comes_back_is_taken_into_memory_only_as_far_as_the_bytes_allow() -> None:
    world = World(queue_look_ahead_bytes_max=100_000)
    queue = world.node.queue("q")
    _, plain = world.consume(queue, prefetch=50)
    blue, _ = world.consume(queue, selector=BLUE)
    publish(world, queue, *(f"{number:05}".ljust(20_000, "x") for number in range(50)))
    close(world, plain.consumer)
    assert queue.statistics().ready == 50
    assert queue.look_ahead().bytes < 2 * 100_000
    assert queue.statistics().look_ahead_full
    again, of_again = world.consume(queue, prefetch=10)
    bodies: list[str] = []
    while len(bodies) < 50:
        got = again.bodies()
        assert got, "it goes on as what is set aside goes"
        bodies += got
        acknowledge_all(world, of_again.consumer)
    assert [int(body[:5]) for body in bodies] == list(range(50))
    assert (blue.bodies(), queue.statistics().ready, queue.look_ahead().bytes) == ([], 0, 0)


def test_what_comes_back_goes_before_what_is_set_aside_though_there_is_no_room_for_both() -> None:
    world = World(queue_look_ahead_bytes_max=100_000)
    queue = world.node.queue("q")
    _, first = world.consume(queue, prefetch=30)
    messages = [f"{number:05}{'x' * 15_000} g:{number % 2}" for number in range(60)]
    publish(world, queue, *messages[:30])
    idle, of_idle = world.consume(queue)
    publish(world, queue, *messages[30:])
    close(world, of_idle.consumer)
    assert (idle.bodies(), queue.statistics().in_flight) == ([], 30)
    assert queue.statistics().look_ahead_full
    close(world, first.consumer)
    assert queue.look_ahead().bytes <= 2 * 100_000
    sinks = [world.consume(queue, prefetch=3) for _ in range(2)]
    numbers: list[int] = []
    while len(numbers) < 60:
        got = [int(body[:5]) for sink, _ in sinks for body in sink.bodies()]
        assert got, f"nothing comes after {len(numbers)}"
        numbers += got
        for _, subscription in sinks:
            acknowledge_all(world, subscription.consumer)
    for half in range(2):
        assert [number for number in numbers if number % 2 == half] == list(range(half, 60, 2))


def test_damaged_messages_that_are_given_up_are_not_delivered_though_they_are_set_aside(
    world: World, queue: Queue
) -> None:
    world.consume(queue, selector=RED)
    publish(world, queue, "b1 c:blue", "b2 c:blue", "b3 c:blue")
    cursor = queue.log.cursors[0]
    cursor.quarantine(Damage(1, 2, "a checksum"))
    assert queue.purge_damaged() == 2
    world.settle_down()
    blue, subscription = world.consume(queue, selector=BLUE)
    assert blue.bodies() == ["b3"]
    acknowledge_all(world, subscription.consumer)
    statistics = queue.statistics()
    assert (statistics.settled, statistics.ready, statistics.quarantined) == (3, 0, 0)


def test_the_look_ahead_is_full_too_when_no_more_messages_may_be_out() -> None:
    world = World(queue_in_flight_max=4)
    queue = world.node.queue("q")
    red, _ = world.consume(queue, selector=RED)
    publish(world, queue, "r1 c:red", "b1 c:blue", "b2 c:blue", "b3 c:blue", "r2 c:red")
    statistics = queue.statistics()
    assert (red.bodies(), statistics.passed_over, statistics.look_ahead_full) == (["r1"], 3, True)


def test_who_stands_by_gets_nothing_more_of_a_group_that_it_has_something_of(world: World, queue: Queue) -> None:
    first, of_first = world.consume(queue)
    publish(world, queue, "a1 g:a")
    exclusive, of_exclusive = world.consume(queue, alone=True)
    publish(world, queue, "a2 g:a", "b1 g:b")
    assert (first.bodies(), exclusive.bodies()) == (["a1"], ["b1"])
    acknowledge_all(world, of_first.consumer)
    assert (first.bodies(), exclusive.bodies()) == ([], ["a2"])
    publish(world, queue, "a3 g:a")
    assert (first.bodies(), exclusive.bodies()) == ([], ["a3"])
    close(world, of_exclusive.consumer)
    assert sorted(first.bodies()) == ["a2", "a3", "b1"]


class CountingSink(FakeSink):
    """Counts how often consumers are asked whether they could take something."""

    asked = 0

    @property
    def blocked(self) -> bool:
        CountingSink.asked += 1
        return False

    @blocked.setter
    def blocked(self, blocked: bool) -> None:
        pass


@pytest.mark.parametrize("selector", [None, RED], ids=["groups", "selectors"])
def test_of_many_who_have_nothing_to_do_a_message_asks_few(
    world: World, queue: Queue, selector: Selector | None
) -> None:
    queue.note_grouped()
    session = world.session()
    for _ in range(500):
        session.subscribe_queue(queue, CountingSink(), prefetch=1, settles=True, selector=selector)
    world.settle_down()
    CountingSink.asked = 0
    publish(world, queue, "r1 c:red")
    assert queue.statistics().in_flight == 1
    assert 0 < CountingSink.asked <= 20
