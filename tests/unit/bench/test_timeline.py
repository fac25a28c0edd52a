"""From when latencies are counted."""

from segue.bench.timeline import DueTimes, SendTimes


def test_messages_of_one_block_have_one_age() -> None:
    times = SendTimes()
    times.sent(0, 10, 1000)
    assert list(times.ages(3, 4, 1500)) == [(500, 4)]


def test_a_range_over_several_blocks_has_an_age_for_each() -> None:
    times = SendTimes()
    for first, now in ((0, 100), (10, 200), (20, 300)):
        times.sent(first, 10, now)
    assert list(times.ages(8, 20, 1000)) == [(900, 2), (800, 10), (700, 8)]


def test_the_age_at_a_fixed_rate_counts_from_when_a_message_was_due() -> None:
    times = DueTimes(start=1000, interval=100)
    times.sent(0, 3, 5000)
    assert list(times.ages(0, 3, 5000)) == [(4000, 1), (3900, 1), (3800, 1)]


def test_a_stalled_producer_owes_every_message_that_was_due_meanwhile() -> None:
    times = DueTimes(start=1000, interval=100)
    assert [times.due_by(now) for now in (999, 1000, 1099, 1100, 2000)] == [0, 1, 1, 2, 11]


def test_a_rate_does_not_drift_with_rounding() -> None:
    times = DueTimes(start=0, interval=1e9 / 3)
    assert times.due(3_000_000) == 10**15
