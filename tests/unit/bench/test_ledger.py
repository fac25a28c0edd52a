"""Counts, rates and blocks of a run."""

from segue.bench.ledger import Blocks, Ledger

SECOND = 1_000_000_000


def test_the_rate_of_a_block_is_its_own_and_not_the_average_of_the_run() -> None:
    blocks = Blocks(100)
    blocks.start(0)
    blocks.add(100, [(5_000_000, 100)], SECOND)
    blocks.add(100, [(9_000_000, 100)], 3 * SECOND)
    assert [block.rate for block in blocks.done] == [100, 50]
    latencies = [block.latency for block in blocks.done]
    assert [latency.max for latency in latencies if latency is not None] == [5.0, 9.0]


def test_a_read_beyond_the_end_of_a_block_stays_in_the_block_with_its_true_count() -> None:
    blocks = Blocks(100)
    blocks.start(0)
    blocks.add(150, [], SECOND)
    blocks.add(50, [], 2 * SECOND)
    assert [(block.count, block.rate) for block in blocks.done] == [(150, 150), (50, 50)]


def test_an_unfinished_block_is_not_reported() -> None:
    blocks = Blocks(100)
    blocks.start(0)
    blocks.add(99, [], SECOND)
    assert blocks.done == []


def test_the_publish_rate_ends_with_the_last_receipt() -> None:
    ledger = Ledger(started=SECOND)
    ledger.add_confirms(10, [(1, 10)], 2 * SECOND)
    ledger.add_confirms(10, [(1, 10)], 3 * SECOND)
    assert ledger.publish_rate() == 10


def test_the_blocks_of_a_drain_begin_with_the_first_delivery() -> None:
    ledger = Ledger(delivery_blocks=Blocks(10))
    ledger.add_deliveries(5, 0, 7 * SECOND)
    ledger.add_deliveries(5, 0, 8 * SECOND)
    assert [block.seconds for block in ledger.delivery_blocks.done] == [1]


def test_a_run_without_anything_has_rates_of_nought() -> None:
    assert (Ledger().publish_rate(), Ledger().delivery_rate(0)) == (0.0, 0.0)
