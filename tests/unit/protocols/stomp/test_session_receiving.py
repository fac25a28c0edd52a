"""A STOMP session with a part of a frame: what of it is counted, when it waits for others, and what ends that."""

from __future__ import annotations

import pytest

from tests.unit.protocols.stomp.actors import Client, StompWorld
from tests.unit.protocols.stomp.session_frames import deadline, frame, send

KIB = 1 << 10
MIB = 1 << 20


@pytest.fixture
def world() -> StompWorld:
    return StompWorld(memory={"receiving_bytes_max": 2 * MIB})


def begin(client: Client, size: int, *, of: int = 16 * MIB) -> None:
    """The head of a SEND, and so much of its body."""
    client.say(b"SEND\ndestination:/queue/q\ncontent-length:%d\n\n" % of + bytes(size))


def test_what_has_come_of_a_frame_is_counted_until_it_is_whole(world: StompWorld) -> None:
    client, other = world.client(), world.client()
    receiving = world.node.receiving
    begin(client, 100 * KIB, of=200 * KIB)
    assert receiving.bytes == 100 * KIB
    other.say(b"SEND\ndestina")
    assert receiving.bytes == 100 * KIB + 12
    client.say(bytes(50 * KIB))
    assert receiving.bytes == 150 * KIB + 12
    client.say(bytes(50 * KIB), b"\0")
    other.say(b"tion:/queue/q\n\n\0")
    assert receiving.bytes == 0
    assert world.node.queue("q").statistics().published == 2


@pytest.mark.parametrize("way", ["error", "goodbye", "hang up", "end", "operator"])
def test_however_a_connection_ends_its_part_of_a_frame_is_forgotten(world: StompWorld, way: str) -> None:
    client = world.client()
    if way == "error":
        client.say(b"SEND\ndestination:/queue/q\ncontent-length:3\n\nab")
        client.say(b"cd", bytes(100))
    elif way == "goodbye":
        client.say(frame("DISCONNECT"), b"SEND\ndest")
        client.stomp.end_of_input()
    else:
        begin(client, MIB)
        assert world.node.receiving.bytes == MIB
    if way == "hang up":
        client.hang_up()
    elif way == "end":
        client.stomp.end_of_input()
    elif way == "operator":
        client.connection.close("by an operator")
    assert world.node.receiving.bytes == 0
    assert client.stomp._parser.bytes_held == 0


def test_large_frames_are_read_one_after_the_other_when_there_is_too_much_of_them(world: StompWorld) -> None:
    clients = [world.client() for _ in range(3)]
    for client in clients:
        begin(client, MIB, of=MIB + 1)
    assert [client.stomp.thirsty for client in clients] == [True, False, False]
    assert world.node.receiving.crowded
    clients[1].connection.reading = clients[2].connection.reading = False
    clients[0].say(b"x\0")
    assert [client.connection.reading for client in clients] == [True, True, True]
    assert not world.node.receiving.crowded


def test_others_small_frames_do_not_wait(world: StompWorld) -> None:
    for _ in range(3):
        begin(world.client(), MIB)
    small = world.client()
    small.say(b"SEND\ndestination:/queue/q\n\nbod")
    assert small.stomp.thirsty
    small.say(b"y\0", send("2", receipt="r"))
    assert small.commands() == ["RECEIPT r"]


async def test_a_frame_for_which_others_wait_too_long_is_refused_and_says_why(world: StompWorld) -> None:
    slow, other = world.client(), world.client()
    begin(slow, 2 * MIB)
    begin(other, MIB)
    assert [slow.stomp.thirsty, other.stomp.thirsty] == [True, False]
    other.connection.reading = False
    world.node.receiving.check(world.clock.monotonic(), held=False)
    world.clock.advance(world.settings.limits.frame_seconds)
    world.node.receiving.check(world.clock.monotonic(), held=False)
    world.settle_down()
    (answer,) = slow.frames()
    assert answer["error-code"] == "timed-out"
    assert b"limits.frame_seconds" in answer.body
    assert other.connection.reading
    assert world.node.receiving.bytes == MIB


def test_a_peer_that_is_not_read_is_not_dead_for_its_silence(world: StompWorld) -> None:
    """Publishers that were held for long, and had much to say, were closed for missed heart-beats."""
    silent = world.client(heart_beat="1000,0")
    silent.connection.reading = False
    world.clock.advance(3600)
    assert deadline(silent) == ""
    assert silent.stomp.next_deadline(world.clock.monotonic()) > world.clock.monotonic() + 1e6
    silent.connection.reading = True
    assert deadline(silent) == "heart-beat missed"
