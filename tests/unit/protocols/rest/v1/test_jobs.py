"""Jobs over the API: begun, seen, cancelled; and purging, which is none."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.unit.protocols.rest.v1.v1_world import Answer, V1World


async def run(world: V1World, method: str, path: str, body: object = None) -> Answer:
    """Ask, and let jobs go on until nothing happens any more."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.node.jobs.serve)
        world.nursery = nursery
        world.send(method, path, body)
        for _ in range(3):
            await world.run_tasks()
            await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return world.answer()


async def test_a_job_moves_what_is_ready(world: V1World) -> None:
    world.publish(world.node.declare_queue("q"), "a", "b", "c")
    begun = await run(world, "POST", "/v1/jobs", {"kind": "move", "queue": "q", "to": "other", "max": 2})
    assert (begun.status, begun.body["state"], begun.body["total"]) == (202, "running", 3)
    shown = world.ask("GET", f"/v1/jobs/{begun.body['job']}").body
    assert (shown["state"], shown["passed_on"]) == ("done", 2)
    assert world.ask("GET", "/v1/jobs").body == {"jobs": [shown]}
    assert world.node.queues["other"].statistics().ready == 2


async def test_a_job_is_cancelled_and_what_it_has_done_stays(world: V1World) -> None:
    world.publish(world.node.declare_queue("q"), *["x"] * 50)
    begun = world.ask("POST", "/v1/jobs", {"kind": "move", "queue": "q", "to": "other", "rate": 1})
    ended = await run(world, "DELETE", f"/v1/jobs/{begun.body['job']}")
    assert (ended.status, ended.body["state"]) == (200, "cancelled")


async def test_a_filter_that_is_no_selector_is_refused_by_its_place(world: V1World) -> None:
    world.node.declare_queue("q")
    order = {"kind": "copy", "queue": "q", "to": "other", "filter": "a ="}
    world.send("POST", "/v1/jobs", order)
    async with trio.open_nursery() as world.nursery:
        await world.run_tasks()
    refused = world.answer()
    assert (refused.status, refused.body["type"], refused.body["pointer"]) == (400, "/problems/bad-selector", "/filter")


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"kind": "move", "queue": "q"}, 400),
        ({"kind": "burn", "queue": "q", "to": "x"}, 400),
        ({"kind": "move", "queue": "q", "to": "a,b"}, 400),
        ({"kind": "move", "queue": "missing", "to": "x"}, 404),
    ],
)
def test_a_job_that_can_not_be_is_refused(world: V1World, order: dict[str, str], status: int) -> None:
    world.node.declare_queue("q")
    assert world.ask("POST", "/v1/jobs", order).status == status


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_job_that_never_was_is_not_found(world: V1World, method: str) -> None:
    assert world.ask(method, "/v1/jobs/7").status == 404


def test_a_purge_leaves_what_is_with_consumers(world: V1World) -> None:
    queue = world.node.declare_queue("q")
    world.publish(queue, "a", "b", "c")
    world.consume(queue, prefetch=1)
    assert world.ask("POST", "/v1/queues/q/purge").body == {"messages": 2}
    assert queue.statistics().in_flight == 1


def test_names_in_a_body_stand_as_they_are(world: V1World) -> None:
    world.publish(world.node.declare_queue("a/b"), "1")
    world.publish(world.node.declare_queue("a~1b"), "1", "2")
    for name in ("a/b", "a~1b"):
        job = world.ask("POST", "/v1/jobs", {"kind": "move", "queue": name, "to": "c/d"}).body
        assert (job["queue"], job["to"]) == (name, "c/d")


def test_what_is_no_name_of_a_queue_is_told_with_its_place(world: V1World) -> None:
    world.node.declare_queue("q")
    refused = world.ask("POST", "/v1/jobs", {"kind": "move", "queue": "q", "to": "c*"})
    assert (refused.status, refused.body["type"], refused.body["pointer"]) == (400, "/problems/invalid-body", "/to")
