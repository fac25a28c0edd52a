"""Which runs can be made, and who serves which queue."""

import re

import pytest

from segue.bench.workload import Workload, WorkloadError, pairs


@pytest.mark.parametrize(
    ("workload", "queues", "text"),
    [
        (Workload(producers=1, seconds=1, body_bytes=19), 1, "at least 20 octets"),
        (Workload(producers=1, seconds=1, window=0), 1, "at least 1"),
        (Workload(seconds=1), 1, "producers or consumers"),
        (Workload(producers=1), 1, "a number of messages or of seconds"),
        (Workload(producers=1, seconds=1), 100_001, "at most"),
        (Workload(consumers=1, ack="client"), 2, "cumulative"),
        (Workload(producers=1, seconds=1, rate=0), 1, "rate"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(workload: Workload, queues: int, text: str) -> None:
    with pytest.raises(WorkloadError, match=re.escape(text)):
        workload.check(queues)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(WorkloadError, match=r"20 octets.*producers or consumers"):
        Workload(body_bytes=1).check(1)


def test_the_shares_of_the_producers_add_up() -> None:
    workload = Workload(producers=3, messages=10)
    assert [workload.quota(number) for number in range(3)] == [4, 3, 3]


@pytest.mark.parametrize(("ends", "queues"), [(1, 1), (10, 10), (1, 7), (3, 10), (10, 3)])
def test_every_end_has_a_queue_and_every_queue_an_end(ends: int, queues: int) -> None:
    assigned = pairs(ends, queues)
    assert {end for end, _ in assigned} == set(range(ends))
    assert {queue for _, queue in assigned} == set(range(queues))
    assert len(assigned) == max(ends, queues)


def test_no_ends_serve_no_queues() -> None:
    assert pairs(0, 5) == []
