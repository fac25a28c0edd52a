"""Rates are differences of counts over the time between two looks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from segue.broker.rates import RateMeter


class Queues:
    """What a meter looks at: queues by name, and a clock."""

    def __init__(self) -> None:
        self.queues: dict[str, Any] = {}
        self.clock = self
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def declare(self, name: str) -> Any:
        counts = SimpleNamespace(delivered=0, acknowledged=0)
        self.queues[name] = SimpleNamespace(name=name, accepted=0, dispatcher=counts)
        return self.queues[name]


def meter_of(queues: Queues) -> RateMeter:
    node: Any = queues
    return RateMeter(node)


async def test_rates_are_counts_divided_by_the_time_that_has_passed() -> None:
    queues = Queues()
    orders = queues.declare("orders")
    meter = meter_of(queues)
    await meter.look()
    orders.accepted += 50
    orders.dispatcher.delivered += 20
    orders.dispatcher.acknowledged += 10
    queues.now += 5
    await meter.look()
    assert meter.of(orders) == {"publish": 10.0, "deliver": 4.0, "acknowledge": 2.0}
    assert meter.totals == meter.of(orders)


async def test_a_queue_that_rests_has_no_rate() -> None:
    queues = Queues()
    orders = queues.declare("orders")
    meter = meter_of(queues)
    for _ in range(3):
        await meter.look()
        queues.now += 5
    assert meter.of(orders) == {"publish": 0.0, "deliver": 0.0, "acknowledge": 0.0}


async def test_totals_are_those_of_all_queues() -> None:
    queues = Queues()
    first, second = queues.declare("a"), queues.declare("b")
    meter = meter_of(queues)
    await meter.look()
    first.accepted += 10
    second.accepted += 30
    queues.now += 10
    await meter.look()
    assert meter.totals["publish"] == 4.0


async def test_a_queue_that_was_declared_again_begins_anew() -> None:
    queues = Queues()
    queues.declare("orders").accepted = 1000
    meter = meter_of(queues)
    await meter.look()
    again = queues.declare("orders")
    queues.now += 5
    await meter.look()
    assert meter.of(again)["publish"] == 0.0


async def test_a_queue_that_is_deleted_is_forgotten() -> None:
    queues = Queues()
    orders = queues.declare("orders")
    meter = meter_of(queues)
    await meter.look()
    orders.accepted += 5
    queues.now += 5
    await meter.look()
    del queues.queues["orders"]
    await meter.look()
    assert meter.of(orders)["publish"] == 0.0
