"""The three phases of the deep queue."""

from segue.bench.deep import measure_deep_queue
from segue.bench.ledger import Ledger
from segue.bench.run import Watcher
from segue.bench.workload import Workload
from tests.unit.bench.loopback_broker import loopback_broker

LOAD = Workload(producers=1, messages=600, block=200, window=100)


def watch(_: Ledger) -> None:
    pass


def test_the_drain_takes_what_was_filled_and_what_was_probed() -> None:
    phases: list[tuple[str, int]] = []

    def begin(name: str, count: int) -> Watcher:
        phases.append((name, count))
        return watch

    with loopback_broker() as broker:
        deep = measure_deep_queue(broker.target(), LOAD, drain=True, phase=begin)
        assert broker.waiting == {}
    assert phases == [("fill", 600), ("probe", 1000), ("drain", 1600)]
    assert [result.faultless for _, result in deep.phases] == [True, True, True]
    assert len(deep.fill.blocks) == 3


def test_a_queue_can_be_left_full() -> None:
    with loopback_broker() as broker:
        deep = measure_deep_queue(broker.target(), LOAD, drain=False, phase=lambda name, count: watch)
        assert len(broker.waiting["/queue/segue-bench"]) == 1600
    assert (deep.drain, len(deep.phases)) == (None, 2)
