"""Tests of segue.broker.jobs.transfer: which messages a job passes on, where they go, and what is left."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from segue.broker import by_number
from segue.broker.jobs import JobState
from segue.broker.jobs import transfer as transfer_module
from segue.broker.queue import Queue
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.selector import compile_selector
from segue.storage.api import encode, prefix, times, with_deliveries
from tests.unit.broker.actors import FakeSink, World, record
from tests.unit.broker.jobs.workshop import begin, bodies, finish, working


def numbered(queue: Queue, world: World, count: int) -> None:
    """Messages 0, 1, 2 and so on, each with its remainder by three in a header."""
    for number in range(count):
        queue.publish(record(str(number), b"third:%d\n\n" % (number % 3)))
    world.node.store.want()
    world.settle_down()


@pytest.mark.parametrize("place", ["memory", "disk", "both"])
async def test_all_messages_move_in_their_order(
    autojump_clock: MockClock, world: World, queue: Queue, place: str
) -> None:
    numbered(queue, world, 10)
    if place != "memory":
        world.store.spill(queue.log)
    if place == "both":
        world.publish(queue, "10", "11")
    count = 12 if place == "both" else 10
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"))
    assert (job.state, job.total, job.looked_at, job.passed_on) == (JobState.DONE, count, count, count)
    assert bodies(world, world.node.queues["r"]) == [str(number) for number in range(count)]
    assert (queue.statistics().ready, queue.log.cursors[0].gaps) == (0, None)
    assert queue.statistics().settled == count


@pytest.mark.parametrize("spilled", [False, True])
async def test_what_the_filter_does_not_match_keeps_its_place(
    autojump_clock: MockClock, world: World, queue: Queue, spilled: bool
) -> None:
    numbered(queue, world, 12)
    if spilled:
        world.store.spill(queue.log)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", filter="third = 1"))
    assert (job.looked_at, job.matched, job.passed_on) == (12, 4, 4)
    assert bodies(world, world.node.queues["r"]) == ["1", "4", "7", "10"]
    assert queue.statistics().ready == 8
    assert bodies(world, queue) == ["0", "2", "3", "5", "6", "8", "9", "11"]


async def test_a_copy_leaves_everything_where_it_is(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 5)
    async with working(world):
        job = await finish(world, begin(world, "copy", "q", "r", filter="third = 0"))
    assert job.passed_on == 2
    assert bodies(world, world.node.queues["r"]) == ["0", "3"]
    assert bodies(world, queue) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("kind", ["move", "copy"])
async def test_a_job_on_the_queue_itself_ends_with_what_was_there_at_its_start(
    autojump_clock: MockClock, world: World, queue: Queue, kind: str
) -> None:
    numbered(queue, world, 4)
    async with working(world):
        job = begin(world, kind, "q", "q", filter="third = 0")
        world.publish(queue, "late")
        await finish(world, job)
    assert (job.state, job.passed_on) == (JobState.DONE, 2)
    left = ["1", "2"] if kind == "move" else ["0", "1", "2", "3"]
    assert bodies(world, queue) == [*left, "late", "0", "3"]


async def test_returned_messages_go_first_and_what_is_out_stays(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 6)
    sink, subscription = world.consume(queue, prefetch=3)
    sink.blocked = True
    world.give_back(subscription.consumer, 3, 1)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"))
    assert job.passed_on == 5
    assert bodies(world, world.node.queues["r"]) == ["0", "2", "3", "4", "5"]
    statistics = queue.statistics()
    assert (statistics.ready, statistics.returned, statistics.in_flight) == (0, 0, 1)
    world.give_back(subscription.consumer, 2)
    assert queue.statistics().ready == 1


async def test_what_is_set_aside_for_other_consumers_moves_as_well(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 9)
    picky, _ = world.consume(queue, selector=compile_selector("third = 0"))
    assert picky.bodies() == ["0", "3", "6"]
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", filter="third = 1"))
    assert job.passed_on == 3
    assert bodies(world, queue) == ["2", "5", "8"]
    assert bodies(world, world.node.queues["r"]) == ["1", "4", "7"]
    statistics = queue.statistics()
    assert (statistics.ready, statistics.in_flight, statistics.settled) == (0, 6, 3)


async def test_a_group_goes_on_when_its_next_message_was_moved(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    queue.note_grouped()
    for body, kind in (("1", b"x"), ("2", b"y"), ("3", b"x")):
        queue.publish(record(body, b"JMSXGroupID:g\nkind:" + kind + b"\n\n"))
    world.node.store.want()
    world.settle_down()
    sink, subscription = world.consume(queue, selector=compile_selector("kind = 'x'"))
    assert sink.bodies() == ["1"]
    world.acknowledge(subscription.consumer, 1)
    assert sink.bodies() == [], "2 comes first, and is not for this consumer"
    async with working(world):
        await finish(world, begin(world, "move", "q", "r", filter="kind = 'y'"))
    assert sink.bodies() == ["3"]


async def test_a_dry_run_counts_and_changes_nothing(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 9)
    batches = len(world.store.played_journal.entries)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", filter="third = 2", dry_run=True))
    assert (job.looked_at, job.passed_on) == (9, 3)
    assert "r" not in world.node.queues
    assert len(world.store.played_journal.entries) == batches
    assert queue.statistics().ready == 9


async def test_a_rate_slows_what_is_passed_on_and_not_what_is_counted(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 30)
    async with working(world):
        began = trio.current_time()
        await finish(world, begin(world, "move", "q", "r", rate=1, dry_run=True))
        counted = trio.current_time()
        await finish(world, begin(world, "move", "q", "r", rate=1))
        moved = trio.current_time()
    assert counted - began < 2
    assert moved - counted >= 29


async def test_no_more_than_so_many_are_passed_on(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 9)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", messages_max=4))
    assert job.passed_on == 4
    assert bodies(world, queue) == ["4", "5", "6", "7", "8"]


async def test_each_step_is_bounded_and_waits_for_the_disk(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 2000)
    async with working(world):
        job = begin(world, "move", "q", "r")
        world.settle_down()
        await wait_all_tasks_blocked()
        assert 100 < job.passed_on < 1000
        before = job.passed_on
        await wait_all_tasks_blocked()
        assert job.passed_on == before
        await finish(world, job)
    assert job.passed_on == 2000


async def test_what_a_consumer_takes_meanwhile_is_the_consumers(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 2000)
    async with working(world):
        job = begin(world, "move", "q", "r")
        world.settle_down()
        await wait_all_tasks_blocked()
        moved = job.passed_on
        sink, _ = world.consume(queue, prefetch=100)
        await finish(world, job)
    assert [delivery.body for delivery in sink.take()] == [str(number) for number in range(moved, moved + 100)]
    assert job.passed_on == 1900
    assert len(bodies(world, world.node.queues["r"])) == 1900


async def test_a_full_destination_is_waited_for(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 5)
    options = QueueOptions(messages_max=3, overflow=REFUSE)
    full = world.node.declare_queue("r", options=options)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"), seconds=5)
        assert (job.state, job.passed_on) == (JobState.RUNNING, 3)
        assert "'r' is full" in job.waits_for
        assert (queue.statistics().ready, full.statistics().ready) == (2, 3)
        full.purge()
        await finish(world, job)
    assert (job.state, job.waits_for, job.passed_on) == (JobState.DONE, "", 5)


async def test_a_job_waits_while_publishers_are_held(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 5)
    world.store.played_journal.short_of_space = True
    world.settle_down()
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"), seconds=5)
        assert (job.state, job.passed_on) == (JobState.RUNNING, 0)
        assert "no room for another journal file" in job.waits_for
        world.store.played_journal.short_of_space = False
        await finish(world, job)
    assert (job.state, job.passed_on) == (JobState.DONE, 5)


async def test_a_job_waits_when_the_queue_has_too_many_gaps(
    autojump_clock: MockClock, world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_number, "GAPS_MAX", 2)
    monkeypatch.setattr(transfer_module, "_STEP_COST_MAX", 4000)
    numbered(queue, world, 30)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", filter="third = 1"), seconds=5)
        assert not job.ended.is_set()
        assert "places of queue 'q'" in job.waits_for
        bodies(world, queue)
        await finish(world, job)
    assert job.state is JobState.DONE


async def test_a_job_fails_when_its_queue_is_deleted(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 2000)
    async with working(world):
        job = begin(world, "move", "q", "r")
        world.settle_down()
        await wait_all_tasks_blocked()
        world.node.delete_queue("q")
        await finish(world, job)
    assert (job.state, job.error) == (JobState.FAILED, "queue 'q' was deleted")
    assert world.node.queues["r"].statistics().ready == job.passed_on


async def test_a_job_passes_nothing_on_when_its_queue_was_deleted_while_it_had_to_be_slow(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    numbered(queue, world, 5)
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r", rate=1), seconds=2)
        await wait_all_tasks_blocked()
        world.settle_down()
        await wait_all_tasks_blocked()  # what it did is on disk, and it waits until it may do more
        passed_on = job.passed_on
        assert 0 < passed_on < 5
        world.node.delete_queue("q")
        await finish(world, job)
    assert (job.error, job.passed_on) == ("queue 'q' was deleted", passed_on)


async def test_what_cannot_be_read_fails_the_job(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    numbered(queue, world, 3)
    world.store.spill(queue.log)
    world.store.played_reader.fault = OSError("gone")
    async with working(world):
        job = await finish(world, begin(world, "move", "q", "r"))
    assert job.state is JobState.FAILED
    assert "gone" in job.error
    assert queue.statistics().ready == 3


async def test_a_moved_message_keeps_its_deadline_and_its_bytes(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    expires_ms = world.clock.now_ms() + 50_000
    queue.note_expiring()
    message = encode(*prefix(1_000, b"a:b\n\n", expires_ms=expires_ms), b"body")
    queue.publish(message)
    world.node.store.want()
    world.settle_down()
    async with working(world):
        await finish(world, begin(world, "move", "q", "r"))
    moved = world.node.queues["r"]
    found = moved.log.find(1)
    assert found == message
    assert times(message)[1] == expires_ms
    world.clock.advance(60)
    world.node.sweep()
    world.settle_down()
    assert moved.statistics().expired == 1


async def test_deliveries_before_a_message_was_put_off_stay_behind(
    autojump_clock: MockClock, world: World, queue: Queue
) -> None:
    queue.note_put_off()
    queue.open_redelivery()
    queue.publish(with_deliveries(record("a"), 3))
    world.node.store.want()
    world.settle_down()
    other = world.node.queue("r")
    other.open_redelivery()
    async with working(world):
        await finish(world, begin(world, "move", "q", "r"))
    sink, _ = world.consume(other)
    (delivery,) = sink.take()
    assert (delivery.deliveries, delivery.redelivered) == (1, False)


async def dead(world: World, *letters: str, queue: str = "q") -> Queue:
    """Messages that a consumer of a queue has refused; returns their dead-letter queue."""
    source = world.node.queue(queue)
    source.apply(replace(source.options, dead_letter="dead"))
    world.publish(source, *letters)
    _, subscription = world.consume(source)
    consumer = subscription.consumer
    session = world.node.sessions[consumer.session_id]
    session.refuse(consumer, list(consumer.unacknowledged))
    world.settle_down()
    session.close()
    world.settle_down()
    return world.node.queues["dead"]


async def test_dead_letters_go_back_to_where_they_came_from(autojump_clock: MockClock, world: World) -> None:
    await dead(world, "a", "b")
    letters = await dead(world, "c", queue="other")
    world.publish(letters, "nobody's")
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead"))
    assert (job.matched, job.passed_on, job.skipped) == (4, 3, 1)
    assert bodies(world, world.node.queues["q"]) == ["a", "b"]
    assert bodies(world, world.node.queues["other"]) == ["c"]
    assert bodies(world, letters) == ["nobody's"]


async def test_an_origin_that_is_full_holds_up_nothing_that_came_from_elsewhere(
    autojump_clock: MockClock, world: World
) -> None:
    for letter in ("a1", "a2", "b1", "a3", "b2"):
        await dead(world, letter, queue=letter[0])
    letters = world.node.queue("dead")
    full = world.node.queue("a")
    full.apply(QueueOptions(messages_max=1, overflow=REFUSE))
    sink, subscription = world.consume(full, prefetch=1)
    world.publish(full, "x")
    world.publish(full, "y")
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead"), seconds=5)
        assert bodies(world, world.node.queues["b"]) == ["b1", "b2"]
        assert (job.state, job.waits_for) == (JobState.RUNNING, "queue 'a' is full: it may have 1 messages")
        assert (job.looked_at, job.matched, job.passed_on, letters.statistics().ready) == (5, 5, 2, 3)
        world.publish(letters, "comes later")
        for _ in range(4):
            world.acknowledge(subscription.consumer, *subscription.consumer.unacknowledged)
            await finish(world, job, seconds=3)
    assert sink.bodies() == ["x", "y", "a1", "a2", "a3"]
    assert (job.state, job.waits_for) == (JobState.DONE, "")
    assert (job.looked_at, job.matched, job.passed_on, job.skipped) == (5, 5, 5, 0)
    assert letters.statistics().ready == 1


async def test_a_redrive_that_waits_for_room_is_cancelled_at_once(autojump_clock: MockClock, world: World) -> None:
    letters = await dead(world, "a1", "a2", queue="a")
    full = world.node.queue("a")
    full.apply(QueueOptions(messages_max=1, overflow=REFUSE))
    world.publish(full, "x")
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead"), seconds=5)
        world.node.jobs.cancel(job.number)
        await finish(world, job, seconds=1)
    assert (job.state, job.passed_on, letters.statistics().ready) == (JobState.CANCELLED, 0, 2)


async def test_a_redrive_that_waits_for_room_fails_when_its_queue_is_deleted(
    autojump_clock: MockClock, world: World
) -> None:
    await dead(world, "a1", queue="a")
    full = world.node.queue("a")
    full.apply(QueueOptions(messages_max=1, overflow=REFUSE))
    world.publish(full, "x")
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead"), seconds=5)
        world.node.delete_queue("dead")
        await finish(world, job)
    assert (job.state, job.error) == (JobState.FAILED, "queue 'dead' was deleted")


async def test_an_origin_that_is_gone_is_made_anew(autojump_clock: MockClock, world: World) -> None:
    await dead(world, "a")
    world.node.delete_queue("q")
    async with working(world):
        await finish(world, begin(world, "redrive", "dead"))
    assert bodies(world, world.node.queues["q"]) == ["a"]


async def test_what_died_in_a_durable_subscription_stays(autojump_clock: MockClock, world: World) -> None:
    """No queue of its name is made: nobody would look there."""
    letters = await dead(world, "a")
    session, sink = world.session(), FakeSink()
    consumer = session.subscribe_durable("s", "news", sink, prefetch=9, settles=True).consumer
    world.node.topics.durables()[0].apply(QueueOptions(dead_letter="dead"))
    world.node.topic("news").publish(record("b"))
    world.settle_down()
    session.refuse(consumer, [1])
    world.settle_down()
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead"))
    assert (job.passed_on, job.skipped) == (1, 1)
    assert bodies(world, letters) == ["b"]
    assert "s" not in world.node.queues


async def test_dead_letters_may_be_sent_elsewhere_with_what_is_none(autojump_clock: MockClock, world: World) -> None:
    letters = await dead(world, "a", "b")
    world.publish(letters, "nobody's")
    async with working(world):
        job = await finish(world, begin(world, "redrive", "dead", "r", filter="\"dead-letter-from\" = 'q'"))
        assert job.passed_on == 2
        await finish(world, begin(world, "redrive", "dead", "r"))
    assert bodies(world, world.node.queues["r"]) == ["a", "b", "nobody's"]


async def test_a_redriven_message_is_delivered_as_if_for_the_first_time(
    autojump_clock: MockClock, world: World
) -> None:
    await dead(world, "a")
    async with working(world):
        await finish(world, begin(world, "redrive", "dead"))
    sink, _ = world.consume(world.node.queues["q"])
    (delivery,) = sink.take()
    assert (delivery.deliveries, delivery.redelivered) == (1, False)


async def test_a_sender_cannot_make_queues_of_any_name(autojump_clock: MockClock, world: World, queue: Queue) -> None:
    queue.publish(record("a", b"dead-letter-from:a*b\n\n"))
    world.node.store.want()
    world.settle_down()
    async with working(world):
        job = await finish(world, begin(world, "redrive", "q"))
    assert (job.skipped, job.passed_on) == (1, 0)
    assert bodies(world, queue) == ["a"]
    assert set(world.node.queues) == {"q"}
