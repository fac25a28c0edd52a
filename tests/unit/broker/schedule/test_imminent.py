"""What is in memory because it is due soon: in which order it comes out, and how much at a time."""

from __future__ import annotations

import random

import pytest

from segue.broker.schedule.bucket import Bucket
from segue.broker.schedule.imminent import Imminent
from segue.broker.schedule.scheduled_message import ScheduledMessage, ScheduleId, encode_scheduled
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


@pytest.fixture
def bucket(world: Waiting) -> Bucket:
    return world.node.schedule.delays.bucket_for(0)


def message(due_ms: int, number: int, size: int = 1) -> tuple[int, bytes]:
    """A message for a time; those for the same are in the order of their numbers."""
    scheduled = ScheduledMessage(due_ms, ScheduleId(due_ms, 7, number), "qq", record("x" * size), 0)
    return number, encode_scheduled(scheduled)


def next_ms(imminent: Imminent) -> int | None:
    """What it says; a property would not be asked again, for all that mypy knows."""
    return imminent.next_ms


def taken(imminent: Imminent, now_ms: int, messages_max: int = 100, bytes_max: int = 1 << 20) -> list[int]:
    """The numbers of what is taken."""
    return [seq for _, seq, _, _ in imminent.take(now_ms, messages_max, bytes_max)]


def test_nothing_comes_before_it_is_due(bucket: Bucket) -> None:
    imminent = Imminent()
    assert next_ms(imminent) is None
    imminent.add(bucket, [message(30, 1), message(20, 2), message(20, 3)])
    assert next_ms(imminent) == 20
    assert taken(imminent, 19) == []
    assert taken(imminent, 29) == [2, 3]
    assert next_ms(imminent) == 30
    assert taken(imminent, 30) == [1]
    assert next_ms(imminent) is None


def test_the_order_is_that_of_time_and_then_of_acceptance_however_they_are_read(bucket: Bucket) -> None:
    messages = [message(number // 4, number) for number in range(40)]
    random.Random(1).shuffle(messages)
    imminent = Imminent()
    for at in range(0, 40, 5):
        imminent.add(bucket, messages[at : at + 5])
    assert [number for now_ms in (3, 9) for number in taken(imminent, now_ms)] == list(range(40))


def test_what_is_read_while_others_of_its_time_are_taken_comes_in_its_order(bucket: Bucket) -> None:
    imminent = Imminent()
    imminent.add(bucket, [message(5, number) for number in (1, 4, 6)])
    assert taken(imminent, 5, messages_max=1) == [1]
    imminent.add(bucket, [message(5, number) for number in (3, 5)])
    assert taken(imminent, 5) == [3, 4, 5, 6]


def test_no_more_is_taken_than_was_asked_for(bucket: Bucket) -> None:
    imminent = Imminent()
    imminent.add(bucket, [message(number // 3, number, size=1000) for number in range(9)])
    assert taken(imminent, 9, messages_max=4) == [0, 1, 2, 3]
    assert taken(imminent, 9, bytes_max=2000) == [4, 5]
    assert taken(imminent, 9, bytes_max=1) == [6]
    assert taken(imminent, 9) == [7, 8]


def test_messages_and_their_bytes_are_counted(bucket: Bucket) -> None:
    imminent = Imminent()
    messages = [message(number, number, size=number) for number in range(1, 5)]
    sizes = [len(frame) for _, frame in messages]
    imminent.add(bucket, messages)
    assert (imminent.messages, imminent.bytes) == (4, sum(sizes))
    imminent.take(1, 100, 1 << 20)
    assert (imminent.messages, imminent.bytes) == (3, sum(sizes[1:]))
    assert sorted(seq for _, seq, _, _ in imminent.take_all()) == [2, 3, 4]
    assert (imminent.messages, imminent.bytes, imminent.next_ms) == (0, 0, None)
    assert taken(imminent, 9) == []
