"""A connection that HTTP hands over to another protocol: when, with what, and when not."""

from __future__ import annotations

import pytest
import trio

from segue.protocols.http import Exchange
from segue.protocols.tcp import TcpConnection
from tests.helpers.http_client import request
from tests.unit.protocols.http.http_world import HttpWorld, post
from tests.unit.protocols.tcp.actors import Talk

UPGRADE = request("/a/b", "Connection: upgrade", "Upgrade: talk")


@pytest.fixture
async def world(nursery: trio.Nursery) -> HttpWorld:
    world = HttpWorld()
    world.nursery = nursery
    return world


class Successor(Talk):
    """The next conversation.

    Attributes:
        made_for: the connections that one was made for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made_for: list[TcpConnection] = []

    def make(self, connection: TcpConnection) -> Talk:
        self.made_for.append(connection)
        return self

    def take_over(self, exchange: Exchange) -> None:
        exchange.upgrade(b"talk", [(b"x-color", b"blue")], self.make)


async def test_what_comes_behind_the_request_is_for_the_next_protocol(world: HttpWorld) -> None:
    talk = Successor()
    world.say(UPGRADE + b"\x00one")
    talk.take_over(world.exchanges.pop())
    world.say(b"two")
    await world.run_tasks()
    assert world.connection.conversation is talk
    assert talk.received == b"\x00onetwo"
    assert talk.made_for == [world.connection]
    head, _, body = bytes(world.connection.written).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert {b"upgrade: talk", b"connection: upgrade", b"x-color: blue"} <= set(head.split(b"\r\n"))
    assert body == b""


async def test_nothing_is_handed_over_before_the_kernel_has_every_answer(world: HttpWorld) -> None:
    talk, lost = Successor(), []
    world.connection.room = 20
    world.say(post(b"1") + UPGRADE)
    first = world.exchanges.pop()
    first.when_lost(lambda: lost.append("lost"))
    first.answer(200, b"x")
    talk.take_over(world.exchanges.pop())
    await world.run_tasks()
    assert talk.made_for == []
    world.connection.take_more()
    await world.run_tasks()
    assert world.connection.conversation is talk
    world.connection.abandon("reset")
    assert lost == []
    assert talk.closed_because == ["reset"]


@pytest.mark.parametrize("end", ["end of input", "stop", "reset"])
async def test_a_connection_that_ends_before_it_is_handed_over_stays_with_http(world: HttpWorld, end: str) -> None:
    talk = Successor()
    world.say(UPGRADE)
    talk.take_over(world.exchanges.pop())
    world.settle_down()
    if end == "end of input":
        world.conversation.end_of_input()
    elif end == "stop":
        world.connection.close("the broker is shutting down")
        world.conversation.finished = True  # as the connection does
    else:
        world.connection.abandon("reset")
    await world.run_tasks()
    assert talk.made_for == []
    assert world.conversation.quiet()


async def test_what_waits_behind_the_request_no_longer_counts_as_received(world: HttpWorld) -> None:
    talk = Successor()
    world.say(UPGRADE + b"x" * 10_000)
    talk.take_over(world.exchanges.pop())
    await world.run_tasks()
    assert world.node.receiving.bytes == 0
    assert len(talk.received) == 10_000


async def test_only_what_is_not_answered_yet_can_be_handed_over(world: HttpWorld) -> None:
    talk = Successor()
    world.say(UPGRADE)
    exchange = world.exchanges.pop()
    exchange.answer(200, b"x")
    talk.take_over(exchange)
    await world.run_tasks()
    assert world.connection.conversation is world.conversation
    world.say(post(b"2"))
    assert len(world.exchanges) == 1
