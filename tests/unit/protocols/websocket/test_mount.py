"""What is spoken over WebSocket is found by its entry point and served by HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
import trio

from segue.protocols.http import Route
from segue.protocols.http.exchange import plain_error
from segue.protocols.stomp.over_websocket import StompOverWebSocket
from segue.protocols.websocket.conversation import WebSocketConversation
from segue.protocols.websocket.mount import Door, mount
from tests.helpers.http_client import request
from tests.unit.protocols.http.http_world import HttpWorld

HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture
async def world(nursery: trio.Nursery) -> HttpWorld:
    world = HttpWorld()
    world.nursery = nursery
    return world


async def test_what_is_in_the_box_is_served(world: HttpWorld) -> None:
    mount(world.node, world.frontend.routes)
    assert {"/ws", "/stomp"} <= {route.path for route in world.frontend.routes}


async def test_a_handshake_opens_a_websocket(world: HttpWorld) -> None:
    mount(world.node, world.frontend.routes)
    world.say(request("/ws", *HANDSHAKE, KEY))
    await world.run_tasks()
    assert isinstance(world.connection.conversation, WebSocketConversation)
    assert bytes(world.connection.written).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")


async def test_what_is_refused_stays_http(world: HttpWorld) -> None:
    settings = replace(world.settings.http, allowed_origins=("https://shop.example",))
    door = Door(world.node, settings, StompOverWebSocket(world.node))
    world.frontend.routes.add(Route("GET", "/door", door.open, plain_error))
    world.say(request("/door"))
    world.say(request("/door", *HANDSHAKE))
    world.say(request("/door", *HANDSHAKE, KEY, "Origin: https://evil.example"))
    await world.run_tasks()
    assert [answer[:3] for answer in world.heard()] == [b"426", b"400", b"403"]
    assert world.connection.conversation is world.conversation
