"""Who is let in, by HTTP Basic."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
import trio

from segue.broker.settings.account import Account
from segue.broker.settings.password_hash import PasswordHash
from segue.broker.users import Users, hash_password
from segue.protocols.http import Exchange, Route
from segue.protocols.http.conversation import HttpConversation
from segue.protocols.http.credentials import Credentials
from segue.protocols.http.exchange import plain_error
from segue.protocols.http.server import HttpFrontend
from tests.helpers.http_client import request
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.fake_connection import FakeConnection


def basic(text: str) -> str:
    return "Authorization: Basic " + base64.b64encode(text.encode()).decode()


async def asked(*lines: str, peer: str = "127.0.0.1:1", users: Users | None = None) -> bytes:
    """The answer to a request for a path that credentials guard."""
    world = World()
    world.node.users = users or world.node.users
    frontend = HttpFrontend()
    frontend.configure(world.node, world.node.settings.section("http"), ())
    answer: Callable[[Exchange], None] = lambda exchange: exchange.answer(200, b"in")  # noqa: E731
    frontend.routes.add(Route("GET", "/x", Credentials(world.node).guarded(answer), plain_error))
    connection = FakeConnection(world, peer, lambda one: HttpConversation(frontend, one))
    connection.conversation.receive(request("/x", *lines))
    async with trio.open_nursery() as nursery:
        for task in connection.tasks:
            nursery.start_soon(task)
    world.settle_down()
    return bytes(connection.written)


async def test_the_guest_comes_in_from_this_machine_while_there_are_no_users() -> None:
    assert (await asked(basic("guest:guest"))).endswith(b"in")
    assert b" 401 " in await asked(basic("guest:guest"), peer="10.0.0.1:1")


@pytest.mark.parametrize(
    "line", ["X: y", basic("guest:wrong"), basic(""), "Authorization: Basic ?", "Authorization: Bearer guest"]
)
async def test_whoever_says_nothing_or_something_else_is_told_how_to_come_in(line: str) -> None:
    answer = await asked(line)
    assert b" 401 " in answer
    assert b'www-authenticate: basic realm="segue"' in answer.lower()


async def test_users_of_the_settings_come_in_with_their_passwords() -> None:
    users = Users({"ada": Account(PasswordHash.parse(hash_password(b"s:cret")))})
    assert (await asked(basic("ada:s:cret"), users=users)).endswith(b"in")
    assert b" 401 " in await asked(basic("ada:other"), users=users)
    assert b" 401 " in await asked(basic("guest:guest"), users=users)
