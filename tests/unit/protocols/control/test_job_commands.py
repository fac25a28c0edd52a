"""The commands about jobs: what they take, what they refuse, what they tell while they wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from segue.broker.rates import RateMeter
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.frames import ControlError, ErrorCode, Request
from segue.protocols.control.session import ControlSession
from tests.unit.broker.actors import World


class Told:
    """An `Answer` that is kept."""

    def __init__(self) -> None:
        self.rows: list[Mapping[str, Any]] = []
        self.steps: list[tuple[int, int]] = []

    async def items(self, items: list[Mapping[str, Any]]) -> None:
        self.rows += items

    async def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


class Operator:
    """Who sends requests to a node whose disk is always quick."""

    def __init__(self) -> None:
        self.world = World()
        self.told = Told()
        self._session = ControlSession(self.world.node, RateMeter(self.world.node))

    async def ask(self, do: str, **arguments: Any) -> Result:
        return await self._session.carry_out(Request(1, do, arguments), cast(Answer, self.told))

    async def refused(self, do: str, **arguments: Any) -> ControlError:
        with pytest.raises(ControlError) as caught:
            await self.ask(do, **arguments)
        return caught.value


@pytest.fixture
async def operator(autojump_clock: MockClock) -> AsyncIterator[Operator]:
    operator = Operator()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(operator.world.node.jobs.serve)
        nursery.start_soon(_write, operator.world)
        yield operator
        nursery.cancel_scope.cancel()


async def _write(world: World) -> None:
    while True:
        world.settle_down()
        await trio.sleep(0.01)


async def test_a_job_is_begun_listed_shown_and_watched_to_its_end(operator: Operator) -> None:
    world = operator.world
    world.publish(world.node.queue("a"), *"xyz")
    job = await operator.ask("queue.move", queue="a", to="b", rate=1, max=2)
    assert (job["job"], job["state"], job["rate"], job["max"]) == (1, "running", 1, 2)
    assert (await operator.ask("job.show", job=1))["queue"] == "a"
    assert await operator.ask("job.list") == {"count": 1}
    assert [row["job"] for row in operator.told.rows] == [1]
    done = await operator.ask("job.watch", job=1)
    assert (done["state"], done["passed_on"]) == ("done", 2)
    assert {total for _, total in operator.told.steps} == {3}
    assert operator.told.steps == sorted(operator.told.steps)


async def test_a_job_is_cancelled(operator: Operator) -> None:
    world = operator.world
    world.publish(world.node.queue("a"), *"xyz")
    await operator.ask("queue.copy", queue="a", to="b", rate=1)
    assert (await operator.ask("job.cancel", job=1))["state"] == "cancelled"
    assert (await operator.ask("job.watch", job=1))["state"] == "cancelled"


async def test_a_redrive_needs_no_destination(operator: Operator) -> None:
    world = operator.world
    world.publish(world.node.queue("a"), "x")
    job = await operator.ask("queue.redrive", queue="a")
    assert (await operator.ask("job.watch", job=job["job"]))["skipped"] == 1
    job = await operator.ask("queue.redrive", queue="a", to="b")
    assert (await operator.ask("job.watch", job=job["job"]))["passed_on"] == 1


@pytest.mark.parametrize(
    ("do", "arguments", "code", "said"),
    [
        ("queue.move", {"queue": "a"}, ErrorCode.BAD_REQUEST, "'to' is missing"),
        ("queue.move", {"queue": "a", "to": "b", "loudly": 1}, ErrorCode.BAD_REQUEST, "'loudly'"),
        ("queue.copy", {"queue": "a", "to": "b*"}, ErrorCode.BAD_REQUEST, "no name of a queue"),
        ("queue.redrive", {"queue": "a", "to": "b*"}, ErrorCode.BAD_REQUEST, "no name of a queue"),
        ("queue.move", {"queue": "a", "to": "b", "rate": -1}, ErrorCode.BAD_REQUEST, "'rate'"),
        ("queue.move", {"queue": "a", "to": "b", "filter": "x ="}, ErrorCode.BAD_REQUEST, "line 1, column"),
        ("queue.move", {"queue": "nope", "to": "b"}, ErrorCode.NOT_FOUND, "no queue 'nope'"),
        ("job.show", {"job": 9}, ErrorCode.NOT_FOUND, "no job 9"),
        ("job.watch", {"job": 9}, ErrorCode.NOT_FOUND, "no job 9"),
        ("job.cancel", {"job": 0}, ErrorCode.BAD_REQUEST, "'job'"),
        ("job.list", {"job": 1}, ErrorCode.BAD_REQUEST, "'job'"),
    ],
)
async def test_what_is_wrong_is_refused(
    operator: Operator, do: str, arguments: dict[str, Any], code: ErrorCode, said: str
) -> None:
    operator.world.node.queue("a")
    error = await operator.refused(do, **arguments)
    assert error.code is code
    assert said in str(error)
    assert list(operator.world.node.jobs) == []
