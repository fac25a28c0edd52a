"""Goals: judged by what was measured, and never by what was not."""

from typing import Any

from segue.bench.comparison.goals import Verdict, verdicts
from segue.bench.comparison.records import Record, Records


def judge(title: str, *records: Record) -> Verdict:
    return next(verdict for verdict in verdicts(Records(records)) if verdict.goal.title == title)


def both(scenario: str, ours: dict[str, Any], theirs: dict[str, Any]) -> list[Record]:
    return [Record("segue", scenario, 1, ours), Record("rabbitmq-quorum", scenario, 1, theirs)]


def test_a_rate_is_judged_as_a_multiple_of_rabbitmqs() -> None:
    enough = both("e2e-1x1", {"delivery_rate": 50.0}, {"delivery_rate": 10.0})
    too_slow = both("e2e-1x1", {"delivery_rate": 49.0}, {"delivery_rate": 10.0})
    assert (judge("end to end, 1 by 1", *enough).value, judge("end to end, 1 by 1", *enough).met) == (5.0, True)
    assert judge("end to end, 1 by 1", *too_slow).met is False


def test_a_latency_must_not_be_above_rabbitmqs() -> None:
    records = both("latency-1000", {"latency": {"p50": 1.1}}, {"latency": {"p50": 1.0}})
    assert judge("1,000 messages a second: p50", *records).met is False


def test_a_goal_without_measurement_is_neither_met_nor_missed() -> None:
    only_ours = Record("segue", "e2e-1x1", 1, {"delivery_rate": 50.0})
    assert (judge("end to end, 1 by 1", only_ours).value, judge("end to end, 1 by 1", only_ours).met) == (None, None)


def test_the_confirm_latency_is_judged_against_the_disk_itself() -> None:
    ours = Record("segue", "publish-w1-p1", 1, {"confirm": {"p50": 0.3}})
    disk = Record("disk", "bare-write", 1, {"write": {"p50": 0.2}})
    verdict = judge("publish, window 1: confirm p50 over a bare 4 KiB synchronous write", ours, disk)
    assert (round(verdict.value or 0, 3), verdict.met) == (1.5, True)


def test_the_last_block_of_the_deep_queue_is_judged_against_the_first() -> None:
    blocks = [{"rate": rate, "latency": {"p99": p99}} for rate, p99 in ((100, 10.0), (10, 99.0), (86, 11.6))]
    fill = Record("segue", "deep-fill", 1, {"blocks": blocks})
    assert judge("deep queue: rate of the last block to the first", fill).met is True
    assert judge("deep queue: confirm p99 of the last block to the first", fill).met is False


def test_the_faults_of_the_drain_are_added_up() -> None:
    drain = Record("segue", "deep-drain", 1, {"missing": 1, "duplicates": 2, "out_of_order": 0})
    verdict = judge("deep queue: drained messages missing, twice or out of order", drain)
    assert (verdict.value, verdict.met) == (3.0, False)


def test_the_drain_is_judged_against_that_of_a_shallow_queue() -> None:
    drains = [
        Record("segue", name, 1, {"delivery_rate": rate})
        for name, rate in (("deep-drain", 81.0), ("drain-shallow", 100.0))
    ]
    assert judge("deep queue: drain to that of a shallow queue", *drains).met is True


def test_memory_is_judged_by_its_worst_round() -> None:
    rounds = [
        Record("segue", "deep-fill", number, {"cost": {"rss_peak_bytes": mib * 1024 * 1024}})
        for number, mib in ((1, 100), (2, 257))
    ]
    assert judge("deep queue: memory", *rounds).met is False


def test_flushes_are_counted_per_thousand_messages() -> None:
    record = Record("segue", "many-queues", 1, {"confirmed": 100_000, "cost": {"flushes": 500}})
    assert judge("10,000 queues: disk flushes per 1,000 messages", record).value == 5.0


def test_every_goal_has_a_title_of_its_own() -> None:
    titles = [verdict.goal.title for verdict in verdicts(Records([]))]
    assert len(titles) == len(set(titles)) == 22
