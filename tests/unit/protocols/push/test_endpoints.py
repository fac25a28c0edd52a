"""Endpoints: whose turn it is, and which are left alone."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from trio.testing import wait_all_tasks_blocked

from segue.protocols.push.breaker import Circuit
from segue.protocols.push.endpoints import Endpoints
from segue.protocols.push.outcome import Outcome
from tests.helpers.recorded_log import RecordedLog

URL = "http://a.example/path?token=secret"


class Network:
    """Endpoints whose answers a test chooses.

    Attributes:
        outcome: of each push; an exception is raised.
        seconds: what the clock says.
        pushes: how many were made.
    """

    def __init__(self, in_flight_max: int = 8) -> None:
        self.outcome: Outcome | Exception = Outcome(0, "No answer")
        self.seconds = 0.0
        self.pushes = 0
        self.gate: trio.Event | None = None
        self.log = RecordedLog()
        self.endpoints = Endpoints(
            self.post, lambda: self.seconds, self.log, timeout_seconds=10, in_flight_max=in_flight_max
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Outcome:
        assert seconds == 10
        self.pushes += 1
        if self.gate is not None:
            await self.gate.wait()
        await trio.lowlevel.checkpoint()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def push(self, url: str = URL) -> Outcome | float:
        return await self.endpoints.push(url, {}, b"")


async def test_an_endpoint_that_does_not_answer_is_left_alone_and_others_are_not() -> None:
    network = Network()
    for _ in range(5):
        assert await network.push() == Outcome(0, "No answer")
    assert await network.push() == 1.0
    assert network.pushes == 5
    assert isinstance(await network.push("http://b.example/"), Outcome)
    [opened] = network.log.named("push.circuit_opened")
    assert opened.fields == {"url": "http://a.example/path", "seconds": 1.0, "reason": "No answer"}
    assert network.endpoints.circuits()[URL].circuit is Circuit.OPEN


async def test_an_endpoint_that_is_back_is_pushed_to_again() -> None:
    network = Network()
    for _ in range(5):
        await network.push()
    network.seconds, network.outcome = 1.0, Outcome.answered(200)
    assert await network.push() == Outcome(200, "OK")
    assert network.endpoints.circuits() == {}
    assert len(network.log.named("push.circuit_closed")) == 1


async def test_an_answer_that_refuses_the_message_is_no_failure_of_the_endpoint() -> None:
    network = Network()
    for status in (500, 404, 301, 400, 403, 410, 500):
        network.outcome = Outcome.answered(status)
        assert await network.push() == network.outcome
    assert network.endpoints.circuits() == {}


async def test_an_address_that_is_refused_says_nothing_of_the_endpoint() -> None:
    network = Network()
    network.outcome = Outcome(0, "refused", retry=False)
    for _ in range(10):
        assert await network.push() == network.outcome
    assert network.endpoints.circuits() == {}


async def test_a_fault_of_ours_costs_one_push() -> None:
    network = Network()
    network.outcome = RuntimeError("a fault")
    assert await network.push() == Outcome(0, "Internal error")
    assert len(network.log.named("internal.error")) == 1


async def test_no_more_pushes_are_under_way_than_may_be() -> None:
    network = Network(in_flight_max=2)
    network.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(network.push)
        await wait_all_tasks_blocked()
        assert (network.pushes, network.endpoints.in_flight) == (2, 2)
        network.gate.set()
    assert (network.pushes, network.endpoints.in_flight) == (3, 0)


async def test_a_push_that_waited_for_its_turn_is_not_made_when_the_endpoint_has_failed_meanwhile() -> None:
    network = Network(in_flight_max=5)
    network.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(network.push)
        await wait_all_tasks_blocked()
        network.gate.set()
    assert network.pushes == 5


async def test_what_is_known_of_endpoints_is_bounded() -> None:
    network = Network()
    for number in range(10_050):
        await network.push(f"http://h{number}.example/")
    assert len(network.endpoints.circuits()) == 10_000
