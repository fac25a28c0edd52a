"""Buckets: which one a message goes to, and what is made of one that has lost its definition."""

from __future__ import annotations

import pytest

from segue.broker.cli.storage import _definition_of
from segue.broker.schedule.bucket import LEVELS, definition_of_lost, place, span_of
from segue.broker.schedule.scheduled_message import ScheduledMessage, ScheduleId, encode_scheduled
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []

NOW_MS = 1_700_000_000_123


@pytest.mark.parametrize(
    ("ahead_ms", "level"),
    [
        (-1_000_000_000, 0), (0, 0), (95_000, 0), (96_000, 1), (6_000_000, 1), (6_200_000, 2), (300_000_000, 2),
        (400_000_000, 3), (24_000_000_000, 3), (26_000_000_000, 4), (1_500_000_000_000, 4), (1_700_000_000_000, 5),
        (200_000_000_000_000, 5),
    ],
)  # fmt: skip
def test_the_narrowest_bucket_is_taken_that_is_not_too_far_ahead(ahead_ms: int, level: int) -> None:
    found, start_ms = place(NOW_MS + ahead_ms, NOW_MS)
    assert found == level
    assert start_ms <= NOW_MS + ahead_ms < start_ms + (1000 << 6 * level)


def frame(body: str, due_ms: int) -> bytes:
    identity = ScheduleId(due_ms, 7, 8)
    return encode_scheduled(ScheduledMessage(due_ms, identity, "qq\ntnews", record(body), NOW_MS))


def test_a_log_that_has_lost_its_definition_is_a_bucket_by_its_messages() -> None:
    lost = frame("a", NOW_MS)
    assert _definition_of(lost) == definition_of_lost(lost)
    assert definition_of_lost(lost)["start_ms"] == span_of(LEVELS - 1, NOW_MS)


def test_what_was_in_several_such_logs_all_comes_in_its_time(world: Waiting) -> None:
    now_ms = world.clock.now_ms()
    for body, delay_ms in (("b", 90_000), ("a", -5), ("c", 5_000_000)):
        encoded = frame(body, now_ms + delay_ms)
        log = world.store.create_log(definition_of_lost(encoded))
        world.store.create_cursor(log, {"kind": "subscription"})
        log.append(encoded)
    world.restart()
    world.work()
    assert world.bodies() == ["a"]
    world.wait(90)
    assert world.bodies() == ["a", "b"]
    world.wait(5000)
    assert world.bodies() == ["a", "b", "c"]
    assert world.logs == []
