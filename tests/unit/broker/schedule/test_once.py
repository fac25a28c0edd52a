"""Messages for later that are published once: what a repeat is told, and for how long."""

from __future__ import annotations

import pytest

from segue.broker.deduplication import Acceptance, DeduplicationId, Identity, OnceSend, ProducerNumber
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.schedule.delayed import Delayed, When
from segue.broker.schedule.once import recall_later, remember_later
from segue.broker.schedule.repeat import Repeat
from segue.broker.schedule.scheduled_message import ScheduleId
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []

_IDENTITIES = [DeduplicationId("a"), ProducerNumber("p", 7)]


@pytest.fixture
def queue(world: Waiting) -> Queue:
    return world.node.queue("q")


@pytest.fixture
def later(world: Waiting, queue: Queue) -> Delayed:
    return Delayed(world.node, "q", [queue], When(delay_ms=1000))


@pytest.mark.parametrize("identity", _IDENTITIES, ids=["id", "number"])
def test_a_repeat_adds_nothing_and_is_told_what_the_first_is_called(
    world: Waiting, later: Delayed, identity: Identity
) -> None:
    first = later.publish_once(identity, record("a"))
    assert not first.repeat
    assert ScheduleId.from_text(first.schedule_id) is not None
    for seconds in (0, 0.5, 1):  # in the same batch, while it waits, when it has come
        world.wait(seconds)
        again = later.publish_once(identity, record("a"))
        assert (again.repeat, again.schedule_id, again.last) == (True, first.schedule_id, first.last)
    world.wait(2)
    assert world.bodies() == ["a"]


@pytest.mark.parametrize("identity", _IDENTITIES, ids=["id", "number"])
def test_a_repeat_that_is_for_now_adds_nothing_either(later: Delayed, queue: Queue, identity: Identity) -> None:
    first = later.publish_once(identity, record("a"))
    again = queue.publish_once(identity, record("a"))
    assert (again.seq, again.repeat, again.last) == (0, True, first.last)


@pytest.mark.parametrize("identity", _IDENTITIES, ids=["id", "number"])
def test_a_message_for_later_can_be_a_repeat_of_one_for_now(later: Delayed, queue: Queue, identity: Identity) -> None:
    first = queue.publish_once(identity, record("a"))
    assert later.publish_once(identity, record("a")) == first._replace(repeat=True)


def test_numbers_of_messages_for_later_and_for_now_are_one_row(world: Waiting, later: Delayed, queue: Queue) -> None:
    told = [target.publish_once(ProducerNumber("p", number), record(f"{number}")) for number, target in
            ((1, later), (2, queue), (1, later), (2, later), (3, later), (3, later), (2, queue))]  # fmt: skip
    assert [answer.repeat for answer in told] == [False, False, True, True, False, True, True]
    assert [answer.seq for answer in told] == [0, 1, 0, 1, 0, 0, 0]
    assert told[5].schedule_id == told[4].schedule_id
    world.wait(1)
    assert world.bodies() == ["2", "1", "3"]


def test_a_message_that_comes_again_and_again_is_scheduled_once(world: Waiting, queue: Queue) -> None:
    later = Delayed(world.node, "q", [queue], When(1000, repeat=Repeat(1000, 1)))
    first, again = (later.publish_once(DeduplicationId("a"), record("a")) for _ in range(2))
    assert first.schedule_id.startswith("0-")
    assert again == first._replace(repeat=True, due_ms=0)
    world.wait(5)
    assert world.bodies() == ["a", "a"]


def test_behind_the_window_it_is_new(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(deduplication_window_ms=500))
    later = Delayed(world.node, "q", [queue], When(delay_ms=1000))
    for _ in range(2):
        assert not later.publish_once(DeduplicationId("a"), record("a")).repeat
        world.wait(1)
    world.wait(1)
    assert world.bodies() == ["a", "a"]


def test_in_a_transaction_it_is_told_at_the_commit(world: Waiting, later: Delayed) -> None:
    told: list[Acceptance] = []
    session = world.session()
    session.begin("t")
    for _ in range(2):
        session.transaction("t").send(later, OnceSend(later, DeduplicationId("a"), told.append), record("a"))
    assert told == []
    session.commit("t")
    assert [answer.repeat for answer in told] == [False, True]
    assert told[0].schedule_id == told[1].schedule_id
    world.wait(1)
    assert world.bodies() == ["a"]


def test_a_name_that_does_not_fit_is_not_remembered_but_the_message_is(queue: Queue) -> None:
    for number, name in enumerate((ScheduleId(9, 1 << 31, 1), ScheduleId(9, 1, 1 << 32))):
        identity = DeduplicationId(f"{number}")
        assert remember_later(queue, identity, name).schedule_id == str(name)
        assert recall_later(queue, identity) == Acceptance(0, True, due_ms=9)


def test_only_one_queue_alone_can_remember(world: Waiting, queue: Queue) -> None:
    other, topic = world.node.queue("p"), world.node.topic("news")
    lists: list[list[Queue]] = [[queue], [queue, queue], [queue, other]]
    assert [Delayed(world.node, "", targets, When()).queue for targets in lists] == [queue, queue, None]
    assert Delayed(world.node, "", [topic], When()).queue is None
