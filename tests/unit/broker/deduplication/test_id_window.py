"""The window of deduplication ids: what is a repeat, for how long, after a restart, and what it costs."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable

import pytest
import trio

from segue.broker.deduplication import Acceptance, DeduplicationId, OnceSend, id_window
from segue.broker.errors import LimitReachedError
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from tests.unit.broker.actors import World, record
from tests.unit.broker.deduplication.actors import Publisher, RunPublisher, publish

NEW, REPEAT = False, True


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ten ids of a queue stay in memory one by one."""
    monkeypatch.setattr(id_window, "RECENT_IDS_MAX", 10)


def windowed(world: World, **options: int) -> Queue:
    return world.node.declare_queue("w", options=QueueOptions(**options))  # type: ignore[arg-type]


def found_again(world: World) -> Queue:
    """The queue behind a restart."""
    name = next(iter(world.node.queues))
    world.settle_down()
    for log in world.store.logs.values():
        world.store.spill(log)
    world.restart()
    return world.node.queues[name]


def companions(world: World) -> int:
    return sum(1 for log in world.store.logs.values() if log.definition.get("kind") == "deduplication")


def test_an_id_is_a_repeat_when_it_was_given_before(world: World, queue: Queue) -> None:
    """FAULTS 33."""
    assert publish(world, queue, "a", "b", "a", "", "", "b") == [NEW, NEW, REPEAT, NEW, REPEAT, REPEAT]
    assert queue.statistics().ready == 3


def test_a_repeat_is_answered_with_the_number_of_the_first_one(world: World, queue: Queue) -> None:
    world.publish(queue, "before")
    publisher = Publisher(world, queue)
    publisher.send(DeduplicationId("a"), DeduplicationId("b"), DeduplicationId("a"))
    world.settle_down()
    publisher.send(DeduplicationId("b"))
    assert publisher.answers == [
        Acceptance(2, False), Acceptance(3, False), Acceptance(2, True), Acceptance(3, True),
    ]  # fmt: skip


def test_the_same_id_for_another_queue_is_another_id(world: World, queue: Queue) -> None:
    other = world.node.queue("other")
    assert publish(world, queue, "a") + publish(world, other, "a") + publish(world, queue, "a") == [NEW, NEW, REPEAT]


def test_an_id_of_any_length_and_of_any_characters_takes_the_same_room(world: World, queue: Queue) -> None:
    assert publish(world, queue, "x" * 100_000, "\ud800", "\0", "日本", "x" * 100_000) == [NEW] * 4 + [REPEAT]
    (log,) = (log for log in world.store.logs.values() if log.definition.get("kind") == "deduplication")
    assert [len(each) for each in log.hot.values()] == [32 + 4 * 24]


@pytest.mark.parametrize("restarts", [False, True])
def test_an_id_is_new_again_behind_the_window(world: World, queue: Queue, restarts: bool) -> None:
    """FAULTS 34. A repeat does not make it any younger: what counts is when the message was accepted."""
    assert publish(world, queue, "a") == [NEW]
    world.clock.advance(599.9)
    assert publish(world, queue, "a") == [REPEAT]
    if restarts:
        queue = found_again(world)
    world.clock.advance(0.2)
    assert publish(world, queue, "a", "a") == [NEW, REPEAT]


@pytest.mark.parametrize("restarts", [False, True])
def test_the_oldest_ids_go_when_there_are_too_many(world: World, restarts: bool) -> None:
    queue = windowed(world, deduplication_ids_max=3)
    assert publish(world, queue, "a", "b") + publish(world, queue, "c", "d") == [NEW] * 4
    if restarts:
        queue = found_again(world)
    assert publish(world, queue, "b", "c", "d") == [REPEAT] * 3
    assert publish(world, queue, "a") + publish(world, queue, "b", "d") == [NEW, NEW, REPEAT]


def test_a_window_of_one_id_remembers_the_last(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1)
    answers = [repeat for one in "aabaa" for repeat in publish(world, queue, one)]
    assert answers == [NEW, REPEAT, NEW, NEW, REPEAT]


def test_ids_of_one_batch_are_remembered_until_it_is_sealed(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1)
    assert publish(world, queue, "a", "b", "a") == [NEW, NEW, REPEAT]
    assert publish(world, queue, "b", "a") == [REPEAT, NEW]


def test_a_queue_without_ids_has_nothing_beside_it(world: World, queue: Queue) -> None:
    world.publish(queue, "a", "b")
    assert queue.deduplication is None
    assert companions(world) == 0


def test_the_id_and_the_message_are_one_write(world: World, queue: Queue) -> None:
    """Whoever seals the batch: here it is not the end of the step, but the batch before that has become durable."""
    queue.publish_once(DeduplicationId("a"), record("a"))
    world.store.want()
    world.node.end_step()
    queue.publish_once(DeduplicationId("b"), record("b"))
    world.store.want()
    world.store.sync()
    assert [len(entries) for entries in world.store.played_journal.entries] == [6, 2]
    assert world.store.idle is False


def test_nobody_asks_the_disk_within_a_window_of_the_default_size(world: World, queue: Queue) -> None:
    publisher = Publisher(world, queue)
    for _ in range(2):
        for number in range(0, 20_000, 4):
            publisher.send(*(DeduplicationId(str(number + more)) for more in range(4)))
        world.settle_down()
    assert [answer.repeat for answer in publisher.answers] == [NEW] * 20_000 + [REPEAT] * 20_000
    assert publisher.waits == 0


@pytest.mark.usefixtures("small_memory")
def test_a_repeat_that_lies_on_disk_is_found_there_while_its_publisher_waits(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1000)
    for number in range(40):
        publish(world, queue, f"{number}")
    publisher = Publisher(world, queue)
    publisher.send(DeduplicationId("3"), DeduplicationId("new"), DeduplicationId("4"))
    assert (publisher.waits, publisher.answers) == (1, [])
    world.settle_down()
    assert publisher.answers == [Acceptance(4, True), Acceptance(41, False), Acceptance(5, True)]
    assert publisher.waits == 1, "what was read once is at hand"


@pytest.mark.usefixtures("small_memory")
def test_others_go_on_while_one_publisher_waits_for_the_disk(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1000)
    for number in range(40):
        publish(world, queue, f"{number}")
    waiting, other = Publisher(world, queue), Publisher(world, queue)
    waiting.send(DeduplicationId("3"))
    other.send(DeduplicationId("x"), DeduplicationId("39"))
    assert other.answers == [Acceptance(41, False), Acceptance(40, True)]
    assert waiting.answers == []


@pytest.mark.usefixtures("small_memory")
@pytest.mark.parametrize("restarts", [False, True])
def test_a_large_window_ends_where_it_should_on_disk_too(world: World, restarts: bool) -> None:
    queue = windowed(world, deduplication_ids_max=30)
    for number in range(50):
        publish(world, queue, f"{number}")
    if restarts:
        queue = found_again(world)
    assert publish(world, queue, "20", "21", "45") == [REPEAT] * 3
    assert publish(world, queue, "19", "20", "21", "45") == [NEW, NEW, NEW, REPEAT]


@pytest.mark.usefixtures("small_memory")
def test_an_id_that_came_again_behind_the_window_counts_from_then_on(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1000, deduplication_window_ms=10_000)
    publish(world, queue, "a")
    world.clock.advance(11)
    assert publish(world, queue, "a") == [NEW]
    publish(world, queue, *(f"{number}" for number in range(30)))
    publisher = Publisher(world, queue)
    publisher.send(DeduplicationId("a"))
    world.settle_down()
    assert publisher.answers == [Acceptance(2, True)]


def test_what_the_last_process_remembered_is_read_when_the_first_id_comes(world: World, queue: Queue) -> None:
    publish(world, queue, "a", "b")
    queue = found_again(world)
    publisher = Publisher(world, queue)
    publisher.send(DeduplicationId("b"), DeduplicationId("c"))
    assert publisher.answers == []
    world.settle_down()
    assert publisher.answers == [Acceptance(2, True), Acceptance(3, False)]


def test_what_has_left_the_window_leaves_the_disk(world: World, queue: Queue) -> None:
    publish(world, queue, "a")
    world.clock.advance(300)
    publish(world, queue, "b")
    window = queue.deduplication.window()  # type: ignore[union-attr]
    log = next(log for log in world.store.logs.values() if log.definition.get("kind") == "deduplication")
    world.clock.advance(301)
    world.node.deduplication.forget()
    assert (len(window), log.cursors[0].next) == (1, 2)
    world.clock.advance(300)
    world.node.deduplication.forget()
    assert (len(window), log.cursors[0].next, len(log.hot)) == (0, 3, 0)


def test_a_queue_that_nobody_publishes_to_is_read_back_by_itself_and_then_forgets(world: World, queue: Queue) -> None:
    publish(world, queue, "a")
    queue = found_again(world)
    world.clock.advance(601)
    for _ in range(3):
        world.node.deduplication.forget()
        world.settle_down()
    log = next(log for log in world.store.logs.values() if log.definition.get("kind") == "deduplication")
    assert log.cursors[0].next == log.head
    assert world.node.deduplication.bytes == 0


def test_a_smaller_window_forgets_at_once_and_a_larger_one_remembers_from_then_on(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=10)
    publish(world, queue, *"abcdef")
    queue.apply(QueueOptions(deduplication_ids_max=2))
    world.node.deduplication.forget()
    assert len(queue.deduplication.window()) == 2  # type: ignore[union-attr]
    queue.apply(QueueOptions(deduplication_ids_max=10))
    assert publish(world, queue, "e", "f", "d") == [REPEAT, REPEAT, NEW]


def test_a_temporary_queue_remembers_too_in_memory(world: World) -> None:
    queue = world.session().temporary_queue("t")
    assert publish(world, queue, "a", "b", "a") == [NEW, NEW, REPEAT]
    assert companions(world) == 0
    world.node.deduplication.forget()
    world.clock.advance(601)
    world.node.deduplication.forget()
    assert publish(world, queue, "a") == [NEW]


def test_a_disk_that_gives_nothing_is_tried_again_while_publishers_wait(world: World, queue: Queue) -> None:
    publish(world, queue, "a")
    queue = found_again(world)
    world.store.played_reader.fault = OSError(5, "I/O error")
    publisher = Publisher(world, queue)
    publisher.send(DeduplicationId("a"))
    world.settle_down()
    assert publisher.answers == []
    (event,) = world.log.named("storage.unreadable")
    assert event.fields["queue"] == "q"
    world.store.played_reader.fault = None
    for _ in range(6):
        world.node.deduplication.forget()
        world.settle_down()
    assert publisher.answers == [Acceptance(1, True)]


def test_ids_of_the_open_batch_stay_in_memory_when_that_is_short() -> None:
    """They can't be read from the log before the batch is sealed."""
    world = World(memory={"deduplication_bytes_max": 400_000})
    ids = [str(number) for number in range(4100)]
    assert publish(world, world.node.queue("q"), *ids, *ids) == [NEW] * 4100 + [REPEAT] * 4100


def test_an_id_that_stands_twice_in_the_log_counts_from_the_second_time_on_after_a_start(world: World) -> None:
    queue = windowed(world, deduplication_window_ms=10_000)
    publish(world, queue, "a")
    world.clock.advance(11)
    assert publish(world, queue, "a") == [NEW]
    queue = found_again(world)
    assert publish(world, queue, "a") == [REPEAT]


@pytest.mark.usefixtures("small_memory")
def test_a_transaction_that_was_asked_for_needs_the_disk_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own messages do not push out of memory what it was told is there, or half of it would have happened."""
    monkeypatch.setattr(id_window, "_RECORD_BYTES_MAX", 4 * 24)
    queue = world.node.queue("q")
    for number in range(9):
        publish(world, queue, f"{number}")
    session = world.session()
    session.begin("t")
    answers: list[Acceptance] = []
    for one in [*(f"new {number}" for number in range(12)), *(f"{number}" for number in range(9))]:
        session.transaction("t").send(queue, OnceSend(queue, DeduplicationId(one), answers.append), record("x"))
    session.commit("t")
    assert [answer.repeat for answer in answers] == [NEW] * 12 + [REPEAT] * 9


@pytest.mark.usefixtures("small_memory")
def test_ids_that_came_together_are_read_from_disk_together(world: World) -> None:
    queue = windowed(world, deduplication_ids_max=1000)
    for number in range(40):
        publish(world, queue, f"{number}")
    publisher = RunPublisher(world, queue, DeduplicationId(""), [f"{number}" for number in range(20, 60)])
    publisher.send_all()
    world.settle_down()
    assert [answer.repeat for answer in publisher.answers] == [REPEAT] * 20 + [NEW] * 20
    assert [answer.seq for answer in publisher.answers] == list(range(21, 61))
    assert publisher.waits == 1


def test_more_ids_than_a_record_takes_make_several(world: World, queue: Queue) -> None:
    for start in range(0, 9000, 1000):
        publisher = RunPublisher(world, queue, DeduplicationId(""), [f"{start + number}" for number in range(1000)])
        publisher.send_all()
    world.store.want()
    world.settle_down()
    log = next(log for log in world.store.logs.values() if log.definition.get("kind") == "deduplication")
    assert (queue.log.head, log.head) == (9001, 4)
    assert max(map(len, log.hot.values())) <= 32 + 4096 * 24


def test_a_run_is_refused_as_a_whole_when_memory_is_short(world: World, queue: Queue) -> None:
    publish(world, queue, "a")
    world.node.deduplication.bytes = world.node.deduplication.bytes_refused + 1
    with pytest.raises(LimitReachedError):
        queue.publish_new(DeduplicationId(""), [b"b", b"c"], [record("x")] * 2)
    world.node.deduplication.bytes = 0
    assert publish(world, queue, "b", "c") == [NEW, NEW]


def test_a_stop_while_it_is_read_back_leaves_nothing_open(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read half way would be found by the garbage collector, and told as a fault of something else."""
    publish(world, queue, "a", "b")
    world.restart()
    jobs: list[Callable[[], Awaitable[None]]] = []
    monkeypatch.setattr(world.store.played_reader, "run", jobs.append)
    Publisher(world, world.node.queues[queue.name]).send(DeduplicationId("a"))

    async def stop() -> bool:
        with trio.CancelScope() as scope:
            scope.cancel()
            await jobs.pop()()
        return scope.cancelled_caught

    assert trio.run(stop)
    gc.collect()  # what it finds is an error of this test
