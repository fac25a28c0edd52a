"""Whole runs against a broker of a few lines: what is counted, and what is found."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from segue.bench.consumer import AckMode
from segue.bench.ledger import Ledger
from segue.bench.run import run_workload
from segue.bench.workload import Workload, WorkloadError
from tests.unit.bench.loopback_broker import Bodies, loopback_broker

QUEUE = "/queue/segue-bench"


def test_every_published_message_is_confirmed_and_on_the_queue() -> None:
    with loopback_broker() as broker:
        result = run_workload(broker.target(), Workload(producers=1, messages=500, window=100))
        assert broker.numbers(QUEUE) == list(range(500))
    assert (result.sent, result.confirmed, result.error) == (500, 500, "")
    assert result.confirm is not None
    assert result.confirm.count == 500


def test_a_window_of_one_waits_for_each_receipt() -> None:
    with loopback_broker() as broker:
        result = run_workload(broker.target(), Workload(producers=2, messages=51, window=1))
        assert sorted(broker.numbers(QUEUE)) == sorted([*range(26), *range(25)])
    assert result.confirmed == 51


def test_a_drain_takes_and_acknowledges_all_that_waits() -> None:
    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, messages=300))
        result = run_workload(broker.target(), Workload(consumers=1, messages=300, block=100))
        assert len(set(broker.acknowledged)) == 300
    assert (result.received, result.unique, result.faultless) == (300, 300, True)
    assert sum(block.count for block in result.blocks) == 300


def test_no_more_is_acknowledged_than_was_asked_for() -> None:
    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, messages=30))
        result = run_workload(broker.target(), Workload(consumers=1, messages=10))
        assert broker.acknowledged == [str(number) for number in range(1, 11)]
    assert result.received == 10


def test_an_empty_queue_ends_a_drain_that_has_no_number() -> None:
    with loopback_broker() as broker:
        result = run_workload(broker.target(), Workload(consumers=1, idle_seconds=0.05))
    assert (result.received, result.error) == (0, "")


@pytest.mark.parametrize(("producers", "consumers", "queues"), [(1, 1, 1), (3, 3, 3), (1, 1, 4), (4, 2, 2), (2, 1, 5)])
def test_end_to_end_every_message_comes_once_and_in_order(producers: int, consumers: int, queues: int) -> None:
    load = Workload(producers=producers, consumers=consumers, messages=400, backlog_max=50)
    with loopback_broker() as broker:
        result = run_workload(broker.target(queues), load)
        assert len(broker.acknowledged) == 400
    assert (result.confirmed, result.unique, result.faultless) == (400, 400, True)
    assert result.latency is not None
    assert result.latency.count == 400


def test_a_fixed_rate_sends_each_message_not_before_it_is_due() -> None:
    load = Workload(producers=2, consumers=1, messages=40, rate=400)
    with loopback_broker() as broker:
        result = run_workload(broker.target(), load)
    assert (result.unique, result.faultless) == (40, True)
    # The last of 40 at 400 a second is due after 97.5 ms.
    assert result.seconds >= 0.0975


def test_messages_that_no_socket_buffer_holds_arrive_whole() -> None:
    load = Workload(producers=1, consumers=1, messages=6, body_bytes=8_000_000, window=6)
    with loopback_broker() as broker:
        result = run_workload(broker.target(), load)
        assert len(broker.acknowledged) == 6
    assert (result.confirmed, result.unique, result.faultless) == (6, 6, True)


@pytest.mark.parametrize("ack", ["client", "auto"])
def test_every_ack_mode_counts_every_message(ack: AckMode) -> None:
    with loopback_broker() as broker:
        result = run_workload(broker.target(), Workload(producers=1, consumers=1, messages=200, ack=ack))
        assert broker.acknowledged[-1:] == (["200"] if ack == "client" else [])
    assert (result.received, result.unique, result.faultless) == (200, 200, True)


def test_messages_of_an_earlier_run_are_not_taken_for_those_of_this_one() -> None:
    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, messages=20))
        result = run_workload(broker.target(), Workload(producers=1, consumers=1, messages=30))
    assert (result.received, result.unique, result.missing) == (50, 50, 0)
    assert result.latency is not None
    assert result.latency.count == 30


def test_over_depth_as_many_messages_are_taken_as_are_sent_whichever_they_are() -> None:
    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, messages=200))
        load = Workload(producers=1, consumers=1, messages=100, backlog_max=20, over_depth=True)
        result = run_workload(broker.target(), load)
    assert (result.sent, result.confirmed, result.error, result.faultless) == (100, 100, "", True)
    assert result.received >= 100


def test_over_depth_consumers_are_held_while_producers_are_behind() -> None:
    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, messages=300))
        load = Workload(producers=1, consumers=1, messages=50, window=1, backlog_max=20, over_depth=True)
        result = run_workload(broker.target(), load)
        # All 300 came at once, before anything was sent, and 50 that were sent do not catch up with that.
        assert broker.acknowledged == []
    assert result.error == ""


def test_a_delay_is_asked_for_and_what_comes_before_it_is_found() -> None:
    with loopback_broker() as broker:
        load = Workload(producers=1, consumers=1, messages=30, delay_ms=60_000)
        result = run_workload(broker.target(), load)
    assert (result.early, result.faultless) == (30, False)


def test_consumers_of_one_queue_subscribe_with_headers_of_their_own() -> None:
    with loopback_broker() as broker:
        target = replace(broker.target(), subscribe_headers=(("selector", "half = {2}"), ("x-priority", "{|9}")))
        run_workload(target, Workload(producers=1, consumers=2, messages=1))
        asked = [(headers["selector"], headers.get("x-priority")) for headers in broker.subscribed]
    assert asked == [("half = 0", None), ("half = 1", "9")]


@pytest.mark.parametrize(
    ("fault", "come", "figure", "count"),
    [
        (lambda bodies: bodies[:40] + bodies[43:], 97, "missing", 3),
        (lambda bodies: bodies[:50] + bodies[40:], 110, "duplicates", 10),
        (lambda bodies: bodies[:40] + bodies[45:] + bodies[40:45], 100, "out_of_order", 5),
    ],
    ids=["lost", "repeated", "reordered"],
)
def test_what_a_broker_does_wrong_is_found(
    fault: Callable[[Bodies], Bodies], come: int, figure: str, count: int
) -> None:
    with loopback_broker(fault) as broker:
        run_workload(broker.target(), Workload(producers=1, messages=100))
        result = run_workload(broker.target(), Workload(consumers=1, messages=come))
    assert getattr(result, figure) == count
    assert not result.faultless


@pytest.mark.parametrize("command", ["CONNECT", "SUBSCRIBE", "SEND"])
def test_the_words_of_a_broker_that_refuses_are_the_result(command: str) -> None:
    with loopback_broker(refuse=command) as broker:
        result = run_workload(broker.target(), Workload(producers=1, consumers=1, messages=10))
    assert result.error == "ERROR: refused: not today"


def test_a_broker_that_never_confirms_fails_the_run_and_does_not_hang_it() -> None:
    with loopback_broker(silent=True) as broker:
        result = run_workload(broker.target(), Workload(producers=1, messages=10, patience_seconds=0.1))
    assert result.error == "nothing happened for 0 s: 10 sent, 0 confirmed, 0 received"


def test_no_broker_is_a_result_and_no_traceback() -> None:
    with loopback_broker() as broker:
        target = broker.target()
    assert "refused" in run_workload(target, Workload(producers=1, messages=1)).error


def test_numbers_that_do_not_go_together_are_refused_before_anything_is_done() -> None:
    with loopback_broker() as broker, pytest.raises(WorkloadError):
        run_workload(broker.target(), Workload(producers=1))


def test_who_watches_sees_the_counts_rise() -> None:
    seen: list[int] = []

    def watch(ledger: Ledger) -> None:
        seen.append(ledger.sent)

    with loopback_broker() as broker:
        run_workload(broker.target(), Workload(producers=1, seconds=0.3, window=10), watch)
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
