"""Looking at messages: pages that go on where the last one ended, and single ones by their ids."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from segue.broker.queue_options import QueueOptions
from tests.unit.protocols.rest.v1.v1_world import Answer, V1World

MESSAGES = "/v1/queues/q/messages"


async def look(world: V1World, path: str) -> Answer:
    world.send("GET", path)
    async with trio.open_nursery() as world.nursery:
        await world.run_tasks()
    return world.answer()


async def browse(world: V1World, query: str = "") -> list[list[str]]:
    """The bodies of all messages, page by page."""
    pages: list[list[str]] = []
    after: str | None = ""
    while after is not None:
        page: dict[str, Any] = (await look(world, f"{MESSAGES}?limit=2&after={after}&{query}")).body
        pages.append([message["body"] for message in page["messages"]])
        after = page["next"]
    return pages


async def test_pages_show_what_is_ready_in_the_order_of_its_delivery(world: V1World) -> None:
    queue = world.node.declare_queue("q")
    world.publish(queue, *"abcde")
    _, subscription = world.consume(queue, prefetch=2)
    world.give_back(subscription.consumer, 2)
    assert await browse(world, "state=in_flight") == [["a", "b"]]
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert await browse(world) == [["a", "b"], ["c", "d"], ["e"]]
    assert (await look(world, MESSAGES)).body["messages"][0]["deliveries"] == 1


async def test_pages_go_on_over_levels_of_priority(world: V1World) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    batch = [{"body": f"{priority}{letter}", "priority": priority} for letter in "ab" for priority in (1, 4, 9)]
    world.ask("POST", MESSAGES, {"messages": batch})
    assert await browse(world) == [["9a", "9b"], ["4a", "4b"], ["1a", "1b"]]
    assert queue.statistics().ready == 6


async def test_an_empty_queue_has_one_empty_page(world: V1World) -> None:
    world.node.declare_queue("q")
    assert await browse(world) == [[]]


async def test_a_message_is_found_by_its_id_in_the_state_that_it_is_in(world: V1World) -> None:
    queue = world.node.declare_queue("q")
    world.publish(queue, "a", "b")
    assert (await look(world, f"{MESSAGES}/1-2")).body["state"] == "ready"
    _, subscription = world.consume(queue)
    found = (await look(world, f"{MESSAGES}/1-2")).body
    assert (found["state"], found["message"]["body"], found["message"]["deliveries"]) == ("in_flight", "b", 1)
    world.acknowledge(subscription.consumer, 2)
    assert (await look(world, f"{MESSAGES}/1-2")).status == 404


@pytest.mark.parametrize(("message", "status"), [("1-9", 404), ("2-1", 404), ("1", 400), ("x-1", 400)])
async def test_what_is_no_message_of_the_queue_is_not_found(world: V1World, message: str, status: int) -> None:
    world.publish(world.node.declare_queue("q"), "a")
    assert (await look(world, f"{MESSAGES}/{message}")).status == status


def test_a_message_is_deleted_by_its_id_wherever_it_stands(world: V1World) -> None:
    queue = world.node.declare_queue("q")
    world.publish(queue, "a", "b", "c")
    deleted = world.ask("DELETE", f"{MESSAGES}/1-2")
    assert (deleted.status, deleted.body) == (200, {"id": "1-2"})
    assert world.ask("DELETE", f"{MESSAGES}/1-2").status == 404
    assert world.consume(queue)[0].bodies() == ["a", "c"]


def test_a_message_that_a_consumer_has_is_not_deleted_but_one_that_came_back_is(world: V1World) -> None:
    queue = world.node.declare_queue("q")
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    refused = world.ask("DELETE", f"{MESSAGES}/1-1")
    assert (refused.status, refused.body["type"]) == (409, "/problems/in-use")
    world.node.sessions[subscription.consumer.session_id].close()
    world.settle_down()
    assert world.ask("DELETE", f"{MESSAGES}/1-1").status == 200
    assert queue.statistics().ready == 0


@pytest.mark.parametrize(("message", "status"), [("1-9", 404), ("2-1", 404), ("1", 400)])
def test_what_is_no_message_of_the_queue_is_not_deleted(world: V1World, message: str, status: int) -> None:
    world.publish(world.node.declare_queue("q"), "a")
    assert world.ask("DELETE", f"{MESSAGES}/{message}").status == status
    assert world.node.queues["q"].statistics().ready == 1
