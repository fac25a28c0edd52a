"""A STOMP session that is carried by WebSocket."""

from __future__ import annotations

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, Event, Ping, Pong, TextMessage

from segue.protocols.stomp.over_websocket import StompOverWebSocket
from segue.protocols.websocket.conversation import WebSocketConversation
from segue.protocols.websocket.subprotocol import Subprotocol
from tests.helpers.stomp_frames import encode_frame
from tests.unit.broker.actors import World
from tests.unit.protocols.stomp.session_frames import send
from tests.unit.protocols.tcp.fake_connection import FakeConnection


class CarriedWorld(World):
    """A node, and a client that speaks STOMP to it over WebSocket."""

    def __init__(self) -> None:
        super().__init__()
        subprotocol: Subprotocol = StompOverWebSocket(self.node)
        self.connection = FakeConnection(
            self, "127.0.0.1:1", lambda one: WebSocketConversation(self.node, one, subprotocol, 30)
        )
        self.websocket: WebSocketConversation = self.connection.conversation
        self.client = Connection(ConnectionType.CLIENT)

    async def connect(self, heart_beat: str = "0,0") -> None:
        headers = {"accept-version": "1.2", "login": "guest", "passcode": "guest", "heart-beat": heart_beat}
        self.say(BytesMessage(encode_frame("CONNECT", headers.items())))
        login, self.websocket.login = self.websocket.login, None
        if login is not None:
            await login()
        self.settle_down()
        (connected,) = self.heard()
        assert isinstance(connected, TextMessage)
        assert connected.data.startswith("CONNECTED\n")

    def say(self, *events: Event) -> None:
        self.connection.last_received = self.clock.monotonic()
        self.websocket.receive(b"".join([self.client.send(event) for event in events]))
        self.settle_down()

    def heard(self) -> list[Event]:
        self.client.receive_data(bytes(self.connection.written))
        self.connection.written.clear()
        return list(self.client.events())


@pytest.fixture
def world() -> CarriedWorld:
    return CarriedWorld()


async def test_each_receipt_is_a_message(world: CarriedWorld) -> None:
    await world.connect()
    world.say(BytesMessage(send("a", receipt="1") + send("b", receipt="2")))
    assert world.heard() == [TextMessage(f"RECEIPT\nreceipt-id:{number}\n\n\0") for number in (1, 2)]


async def test_who_has_logged_in_is_no_stranger_on_the_connection_that_carries_him(world: CarriedWorld) -> None:
    assert not world.connection.is_authenticated
    await world.connect()
    assert world.connection.is_authenticated


async def test_pongs_put_off_no_heart_beat(world: CarriedWorld) -> None:
    """The script of a page does not see them."""
    await world.connect(heart_beat="0,1000")
    for _ in range(3):
        world.clock.advance(0.3)
        world.say(Ping(payload=b"x"))
    assert world.heard() == [Pong(payload=b"x")] * 3
    assert world.websocket.deadline(world.clock.monotonic()) == ""
    world.settle_down()
    assert world.heard() == [TextMessage("\n")]


def test_the_largest_frame_fits_into_a_message(world: CarriedWorld) -> None:
    limits, stomp = world.settings.limits, world.settings.stomp
    largest = limits.body_bytes_max + stomp.header_block_bytes_max + 1
    assert StompOverWebSocket(world.node).message_bytes_max >= largest


def test_subscriptions_over_both_ways_have_numbers_of_their_own(world: CarriedWorld) -> None:
    one, other = StompOverWebSocket(world.node), StompOverWebSocket(world.node)
    numbers = {carrier._frontend.number_subscription() for carrier in (one, other) for _ in range(100)}
    assert len(numbers) == 200
