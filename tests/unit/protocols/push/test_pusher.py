"""All push queues of a broker: opened, closed, pushed from by the client that the settings describe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import wait_all_tasks_blocked

from segue.broker.errors import NotFoundError
from segue.broker.settings import Push
from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.pusher import Pusher, client_of
from tests.unit.protocols.push.push_world import Endpoint, Port, PushWorld
from tests.unit.protocols.push.receiver import receiver

PAGE = Path(__file__).parents[4] / "docs/reference/statistics.md"


def options(url: str) -> PushOptions:
    return PushOptions(PushType.MULTICAST, (Subscriber("a", url),))


async def test_a_message_goes_over_a_real_socket_to_who_is_allowed() -> None:
    world = PushWorld()
    world.post_messages("1")
    settings = replace(Push(), allow_addresses=(ip_network("127.0.0.1/32"),))
    pusher = Pusher(world.node, settings, Port(), client_of(settings).post)
    async with receiver() as server, trio.open_nursery() as nursery:
        await nursery.start(pusher.serve)
        pusher.open("q", "q.tried").configure(options(f"http://127.0.0.1:{server.port}/"))
        world.settle_down()
        with trio.fail_after(60):
            while world.counts() != (0, 0, 0):
                world.settle_down()
                await trio.lowlevel.checkpoint()
        [(_, _, headers, body)] = server.requests
        assert (headers["iron-message-id"], body) == ("1", b"body 1")
        nursery.cancel_scope.cancel()


async def test_at_the_end_what_is_under_way_goes_back_to_its_place() -> None:
    world = PushWorld()
    world.post_messages("1")
    pusher = Pusher(world.node, Push(), Port(), hang)
    async with trio.open_nursery() as nursery:
        await nursery.start(pusher.serve)
        pusher.open("q", "q.tried").configure(options("http://a.example/"))
        world.settle_down()
        await wait_all_tasks_blocked()
        assert world.counts() == (0, 1, 0)
        assert pusher.state()["in_flight"] == 1
        nursery.cancel_scope.cancel()
    world.settle_down()
    assert world.counts() == (1, 0, 0)


async def test_a_push_queue_is_found_by_its_name_until_it_is_closed() -> None:
    world = PushWorld()
    queue = world.node.queue("q")
    pusher = Pusher(world.node, Push(), Port(), world.post)
    async with trio.open_nursery() as nursery:
        await nursery.start(pusher.serve)
        with pytest.raises(NotFoundError):
            pusher.open("other", "other.tried")
        opened = pusher.open("q", "q.tried")
        assert pusher.get("q") is opened
        assert len(queue.dispatcher.consumers) == 1
        pusher.close("q")
        pusher.close("q")
        assert pusher.get("q") is None
        assert not opened.is_open
        assert queue.dispatcher.consumers == []
        nursery.cancel_scope.cancel()


async def test_every_member_of_the_state_is_documented_and_no_other() -> None:
    world = PushWorld()
    world.endpoints["a"] = Endpoint(0)
    world.post_messages(*map(str, range(9)))
    pusher = Pusher(world.node, Push(), Port(), world.post)
    async with trio.open_nursery() as nursery:
        await nursery.start(pusher.serve)
        pusher.open("q", "q.tried").configure(options("http://a/?token=secret"))
        await world.run()
        state = pusher.state()
        nursery.cancel_scope.cancel()
    text = PAGE.read_text(encoding="utf-8").partition("## Push\n")[2].partition("\n## ")[0]
    [endpoint] = state.pop("endpoints")
    members = {f"push.{name}" for name in state} | {f"push.endpoints.{name}" for name in endpoint}
    cells = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    assert members == {name for cell in cells for name in re.findall(r"`(.+?)`", cell)}
    assert (endpoint["url"], endpoint["circuit"], endpoint["failures"]) == ("http://a/", "open", 9)
    assert (state["queues"], state["pushes"], state["failures"], state["endpoints_failing"]) == (1, 9, 9, 1)


async def hang(url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Outcome:
    await trio.sleep_forever()
    raise AssertionError
