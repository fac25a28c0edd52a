"""What is remembered of messages that were pushed."""

from __future__ import annotations

from segue.protocols.push.message import PushMessage
from segue.protocols.push.results import PushResult, PushResults
from segue.protocols.push.tries import Tries


def result(message_id: str, size: int = 1) -> PushResult:
    return PushResult(PushMessage(message_id, b"x" * size, {}), Tries.begin(message_id, ["a"]))


def test_a_result_is_found_by_queue_and_id_until_it_is_forgotten() -> None:
    results = PushResults()
    results.add("q", one := result("1"))
    results.add("r", other := result("1"))
    assert (results.get("q", "1"), results.get("r", "1"), results.get("q", "2")) == (one, other, None)
    results.forget("q", "1")
    results.forget("q", "2")
    assert (results.get("q", "1"), results.get("r", "1")) == (None, other)


def test_the_newest_are_kept() -> None:
    results = PushResults()
    for number in range(10_010):
        results.add("q", result(str(number)))
    assert len(results) == 10_000
    assert results.get("q", "9") is None
    assert results.get("q", "10") is not None


def test_large_bodies_leave_room_for_fewer() -> None:
    results = PushResults()
    for number in range(40):
        results.add("q", result(str(number), 1 << 20))
    assert len(results) == 16
    results.add("q", result("39", 1 << 20))
    assert len(results) == 16
    results.add("q", result("larger than all", 17 << 20))
    assert len(results) == 0
    results.add("q", result("1"))
    assert len(results) == 1
