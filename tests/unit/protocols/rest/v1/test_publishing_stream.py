"""A stream of messages: told of line by line when they are on disk, ended by the first that is wrong."""

from __future__ import annotations

import json
from typing import Any

import trio

from tests.unit.protocols.rest.v1.v1_world import V1World

STREAM = "/v1/queues/q/messages/stream"


async def publish(world: V1World, body: bytes) -> list[dict[str, Any]]:
    """The lines of the answer to a stream."""
    world.send("POST", STREAM, body, "Content-Type: application/x-ndjson")
    async with trio.open_nursery() as world.nursery:
        await world.run_tasks()
        await world.run_tasks()
    written, _, rest = bytes(world.connection.written).partition(b"\r\n\r\n")
    assert written.startswith(b"HTTP/1.1 200")
    return [json.loads(line) for line in rest.splitlines() if line.startswith(b"{")]


async def test_each_line_is_told_of(world: V1World) -> None:
    lines = [json.dumps({"body": body}).encode() for body in "abc"]
    assert await publish(world, b"\n".join([*lines, b""])) == [{"id": "1-1"}, {"id": "1-2"}, {"id": "1-3"}]
    assert world.node.queues["q"].statistics().ready == 3


async def test_the_last_line_needs_no_end(world: V1World) -> None:
    assert await publish(world, b'\n{"body": "a", "dedup_id": "7"}\n\n{"body": "a", "dedup_id": "7"}') == [
        {"id": "1-1"},
        {"id": "1-1", "repeat": True},
    ]


async def test_a_wrong_line_ends_the_stream_and_what_is_before_it_is_published(world: V1World) -> None:
    told = await publish(world, b'{"body": "a"}\n{"body": 1}\n{"body": "c"}\n')
    assert told[0] == {"id": "1-1"}
    assert (told[1]["line"], told[1]["problem"]["pointer"]) == (2, "/body")
    assert len(told) == 2
    assert world.node.queues["q"].statistics().published == 1


async def test_a_line_without_an_end_is_refused(world: V1World) -> None:
    told = await publish(world, b'{"body": "a"}\n' + b" " * (1 << 20) + b" ")
    assert [line.get("line") for line in told] == [None, 2]
