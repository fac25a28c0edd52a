"""A WebSocket that carries another conversation: what goes through, what does not, and the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from segue.protocols.tcp import TcpConnection
from segue.protocols.websocket.conversation import WebSocketConversation
from segue.protocols.websocket.subprotocol import CarriedConversation
from tests.unit.broker.actors import World
from tests.unit.protocols.tcp.actors import Talk
from tests.unit.protocols.tcp.fake_connection import FakeConnection
from tests.unit.protocols.websocket.wire import client_frame

PING_SECONDS = 30
TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


class Carried(Talk):
    """What is carried: it does as the test says.

    Attributes:
        reads: what each `receive` brought.
        frames: what it wants to say.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[bytes] = []
        self.frames: list[bytes] = []

    def receive(self, data: bytes) -> None:
        self.reads.append(data)

    def take_frames(self) -> list[bytes]:
        frames, self.frames = self.frames, []
        return frames

    def closed_by_node(self, reason: str) -> None:
        self.closed_by.append(reason)
        self.frames.append(b"bye")
        self.finished = True


class WebSocketWorld(World):
    """A node, and a WebSocket: the test is its peer."""

    paths: Sequence[str] = ("/echo",)
    names: Sequence[str] = ("echo",)
    message_bytes_max = 1000

    def __init__(self) -> None:
        super().__init__()
        self.carried = Carried()
        self.connection = FakeConnection(
            self, "127.0.0.1:1", lambda one: WebSocketConversation(self.node, one, self, PING_SECONDS)
        )
        self.websocket: WebSocketConversation = self.connection.conversation
        self._client = Connection(ConnectionType.CLIENT)

    def converse(self, connection: TcpConnection) -> CarriedConversation:
        return self.carried

    def hear(self, *frames: bytes) -> None:
        """One read."""
        self.connection.last_received = self.clock.monotonic()
        self.websocket.receive(b"".join(frames))
        self.node.end_step()

    def say(self, *frames: bytes) -> None:
        """The carried conversation says something."""
        self.carried.frames += frames
        self.node.wrote(self.connection)
        self.node.end_step()

    def heard(self) -> list[Event]:
        """What has come since the last call."""
        self._client.receive_data(bytes(self.connection.written))
        self.connection.written.clear()
        return list(self._client.events())


@pytest.fixture
def world() -> WebSocketWorld:
    return WebSocketWorld()


def close_frame(code: int) -> bytes:
    return client_frame(CLOSE, code.to_bytes(2, "big"))


def test_what_a_read_brings_goes_on_in_one_call(world: WebSocketWorld) -> None:
    half, rest = client_frame(0x00, b"d")[:3], client_frame(0x00, b"d")[3:]
    world.hear(client_frame(TEXT, b"a"), client_frame(0x02, b"bc"), client_frame(PING, b"x"), half)
    world.hear(rest, client_frame(0x80, b"e"))
    assert world.carried.reads == [b"abc", b"de"]


def test_an_empty_message_is_not_the_end_of_what_the_peer_has_to_say(world: WebSocketWorld) -> None:
    world.hear(client_frame(0x82, b""))
    world.hear(client_frame(0x02, b""), client_frame(0x80, b""))
    world.hear(client_frame(0x82, b"a"))
    assert world.carried.reads == [b"a"]


def test_each_frame_is_a_message_and_all_leave_together(world: WebSocketWorld) -> None:
    world.say(b"a", b"\xff", b"\n")
    assert world.heard() == [TextMessage("a"), BytesMessage(b"\xff"), TextMessage("\n")]
    assert world.carried.sent == 1


def test_pings_that_come_together_are_answered_by_one_pong(world: WebSocketWorld) -> None:
    world.hear(*[client_frame(PING, bytes((number,))) for number in range(5)], client_frame(PONG, b"x"))
    assert world.heard() == [Pong(payload=b"\x04")]
    assert world.carried.reads == []


def test_what_is_carried_has_not_said_our_pongs(world: WebSocketWorld) -> None:
    world.hear(client_frame(PING, b""))
    assert world.carried.sent == 0
    world.say(b"a")
    world.hear(client_frame(PING, b""))
    assert world.carried.sent == 1


def test_what_stays_in_the_buffer_is_told_to_what_is_carried(world: WebSocketWorld) -> None:
    world.connection.room = 10
    world.say(b"x" * 100)
    assert (world.carried.stuck, world.carried.sent) == (92, 0)
    world.connection.take_more()
    assert (world.carried.stuck, world.carried.sent) == (0, 1)


def test_who_is_silent_gets_a_ping_and_is_gone_if_he_stays_silent(world: WebSocketWorld) -> None:
    now = world.clock.monotonic()
    assert world.websocket.next_deadline(now) == now + PING_SECONDS
    assert world.websocket.deadline(now + PING_SECONDS - 1) == ""
    world.clock.advance(PING_SECONDS)
    assert world.websocket.deadline(now + PING_SECONDS) == ""
    world.node.end_step()
    assert world.heard() == [Ping(payload=b"")]
    assert world.websocket.next_deadline(now) == now + 2 * PING_SECONDS
    assert world.websocket.deadline(now + 2 * PING_SECONDS) == "no answer to a ping"
    assert not world.websocket.finished  # nobody would read a good-bye


def test_any_octet_is_an_answer_to_a_ping(world: WebSocketWorld) -> None:
    now = world.clock.monotonic()
    world.clock.advance(PING_SECONDS)
    world.websocket.deadline(now + PING_SECONDS)
    world.clock.advance(1)
    world.hear(client_frame(TEXT, b"a")[:1])
    assert world.websocket.next_deadline(now) == now + 2 * PING_SECONDS + 1
    assert world.websocket.deadline(now + 2 * PING_SECONDS) == ""


def test_nobody_is_asked_while_his_answer_would_not_be_read(world: WebSocketWorld) -> None:
    world.connection.reading = False
    assert world.websocket.next_deadline(0) == float("inf")
    assert world.websocket.deadline(1e9) == ""


def test_who_reads_slowly_has_time_to_answer_when_he_has_read_everything(world: WebSocketWorld) -> None:
    now = world.clock.monotonic()
    world.connection.room = 10
    world.say(b"x" * 100)
    assert world.websocket.next_deadline(now) == float("inf")
    world.clock.advance(3 * PING_SECONDS)
    assert world.websocket.deadline(now + 3 * PING_SECONDS) == ""
    world.connection.take_more()
    assert world.websocket.next_deadline(now) == now + 4 * PING_SECONDS
    assert world.websocket.deadline(now + 4 * PING_SECONDS) == ""
    assert world.websocket.deadline(now + 5 * PING_SECONDS) == "no answer to a ping"


def test_the_deadlines_of_what_is_carried_are_kept(world: WebSocketWorld) -> None:
    world.carried.moment = world.clock.monotonic() + 1
    assert world.websocket.next_deadline(0) == world.carried.moment
    world.carried.verdict = "heart-beat missed"
    assert world.websocket.deadline(0) == "heart-beat missed"


def test_logins_and_thirst_are_those_of_what_is_carried(world: WebSocketWorld) -> None:
    async def login() -> None: ...

    logins: list[Callable[[], Awaitable[None]] | None] = [world.websocket.login]
    world.carried.login = login
    logins.append(world.websocket.login)
    world.websocket.login = None
    assert [*logins, world.carried.login] == [None, login, None]
    thirst = [world.websocket.thirsty]
    world.carried.thirsty = False
    thirst.append(world.websocket.thirsty)
    world.websocket.go_on()
    assert [*thirst, world.websocket.thirsty] == [True, False, True]


@pytest.mark.parametrize(("frame", "code"), [(close_frame(1001), 1001), (client_frame(CLOSE, b""), 1000)])
def test_a_close_is_answered_when_everything_that_is_owed_is_said(
    world: WebSocketWorld, frame: bytes, code: int
) -> None:
    world.carried.is_quiet = False
    world.hear(client_frame(TEXT, b"last"), frame, client_frame(TEXT, b"behind it"))
    assert (world.carried.reads, world.carried.ends) == ([b"last"], 1)
    assert world.websocket.finished
    assert (world.websocket.quiet(), world.heard()) == (False, [])
    world.carried.is_quiet = True
    world.say(b"receipt")
    assert world.heard() == [TextMessage("receipt"), CloseConnection(code=code, reason="")]
    assert world.websocket.quiet()
    world.say(b"too late")
    assert world.heard() == []


def test_what_is_carried_may_end_it(world: WebSocketWorld) -> None:
    world.carried.finished = True
    world.hear(client_frame(TEXT, b"a"))
    assert world.websocket.finished
    assert world.heard() == [CloseConnection(code=1000, reason="")]


def test_a_goodbye_that_had_to_wait_for_room_is_said_when_there_is_some(world: WebSocketWorld) -> None:
    world.carried.is_quiet = False
    world.websocket.end_of_input()
    world.node.end_step()
    assert world.heard() == []
    world.carried.is_quiet = True
    world.connection.let_go()
    world.node.end_step()
    assert world.heard() == [CloseConnection(code=1000, reason="")]


def test_whoever_breaks_the_rules_is_told_so_and_what_came_before_counts(world: WebSocketWorld) -> None:
    world.hear(client_frame(TEXT, b"a"), b"\x82\x01x", client_frame(TEXT, b"b"))
    assert world.carried.reads == [b"a"]
    (close,) = world.heard()
    assert isinstance(close, CloseConnection)
    assert close.code == 1002
    (line,) = world.log.named("connection.refused")
    assert (line.fields["protocol"], line.fields["code"]) == ("websocket", 1002)


def test_a_stop_lets_what_is_carried_say_good_bye_first(world: WebSocketWorld) -> None:
    world.connection.close("the broker is shutting down")
    world.node.end_step()
    assert world.heard() == [TextMessage("bye"), CloseConnection(code=1001, reason="the broker is shutting down")]
    assert world.carried.closed_by == ["the broker is shutting down"]


def test_a_frame_that_others_wait_for_too_long_is_refused_by_what_is_carried(world: WebSocketWorld) -> None:
    world.connection.frame_late()
    world.node.end_step()
    assert world.heard() == [CloseConnection(code=1000, reason="")]


def test_the_end_of_the_connection_is_told(world: WebSocketWorld) -> None:
    world.connection.abandon("reset by the peer")
    assert world.carried.closed_because == ["reset by the peer"]
    assert world.websocket.finished


async def test_a_read_with_very_many_frames_is_worked_off_in_turns(world: WebSocketWorld) -> None:
    world.hear(*[client_frame(TEXT, b"x")] * 2000)
    world.hear(client_frame(TEXT, b"y"))
    turns = 1
    while world.connection.tasks:
        assert not world.websocket.thirsty
        await world.connection.tasks.pop()()
        turns += 1
    assert turns > 2
    assert b"".join(world.carried.reads) == b"x" * 2000 + b"y"
    assert world.websocket.thirsty


async def test_a_connection_that_is_gone_has_no_more_turns(world: WebSocketWorld) -> None:
    world.hear(*[client_frame(TEXT, b"x")] * 2000)
    world.connection.abandon("reset by the peer")
    await world.connection.tasks.pop()()
    assert len(world.carried.reads) == 1


def test_a_flood_of_pings_is_a_fault_but_not_many_in_a_long_time(world: WebSocketWorld) -> None:
    """Fault 84."""
    for _ in range(100):
        world.hear(client_frame(PING, b""), client_frame(PONG, b""))
        world.clock.advance(1)
    assert not world.websocket.finished
    world.heard()
    world.hear(*[client_frame(PING, b"")] * 201, client_frame(TEXT, b"x"))
    assert [event.code for event in world.heard() if isinstance(event, CloseConnection)] == [1008]
