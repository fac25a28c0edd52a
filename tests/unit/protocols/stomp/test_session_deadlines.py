"""A session and the clock: logins, heart-beats both ways, peers that are silent, and those that take nothing."""

from __future__ import annotations

import pytest

from tests.unit.protocols.stomp.actors import Client, StompWorld
from tests.unit.protocols.stomp.session_frames import deadline, frame, send, subscribe


def next_deadline(client: Client) -> float:
    """Seconds until the session wants to be called."""
    now = client.world.clock.monotonic()
    return client.stomp.next_deadline(now) - now


def test_a_stranger_has_the_time_of_the_settings_to_log_in(world: StompWorld) -> None:
    """FAULTS 56."""
    stranger = world.stranger()
    assert next_deadline(stranger) == world.settings.limits.login_seconds
    world.clock.advance(world.settings.limits.login_seconds - 1)
    stranger.say(b"\n")  # an octet now and then buys no time
    assert next_deadline(stranger) == 1
    assert deadline(stranger) == ""
    world.clock.advance(1)
    assert deadline(stranger)
    assert stranger.error() == "timed-out"


def test_who_has_logged_in_without_heart_beats_has_all_the_time_in_the_world(world: StompWorld) -> None:
    client = world.client()
    assert next_deadline(client) == float("inf")
    world.clock.advance(1e6)
    assert deadline(client) == ""


def test_a_beat_goes_out_in_time_after_the_last_octet_that_was_sent(world: StompWorld) -> None:
    client = world.client(heart_beat="0,5000")
    assert 0 < next_deadline(client) < 5
    world.clock.advance(3)
    client.say(frame("BEGIN", transaction="t", receipt="r"))
    assert client.commands() == ["RECEIPT r"]
    assert 3 < next_deadline(client) < 5  # what was sent is a beat
    assert deadline(client) == ""
    assert client.connection.written[-1:] != b"\n"
    world.clock.advance(next_deadline(client))
    assert deadline(client) == ""
    assert client.connection.written[-1:] == b"\n"
    assert 3 < next_deadline(client) < 5


def test_no_beat_stands_inside_a_frame_and_nobody_waits_for_the_moment(world: StompWorld) -> None:
    client, publisher = world.client(heart_beat="0,1000"), world.client()
    client.say(subscribe())
    client.connection.room = 10
    publisher.say(send("x" * 100))
    changes = client.connection.deadline_changes
    world.clock.advance(5)
    assert deadline(client) == ""
    assert next_deadline(client) > 10  # it is the stall that is waited for, or the loop would turn and turn
    client.connection.take_more()
    client.connection.deadline_changed()
    assert client.connection.deadline_changes > changes
    assert client.bodies() == ["x" * 100]
    assert 0 < next_deadline(client) < 1


@pytest.mark.parametrize("octets", [b"\n", b"SEND\ndesti"])
def test_a_peer_that_says_nothing_for_twice_its_time_is_dead(world: StompWorld, octets: bytes) -> None:
    """FAULTS 53."""
    client = world.client(heart_beat="2000,0")
    world.clock.advance(3.9)
    assert deadline(client) == ""
    client.say(octets)
    world.clock.advance(3.9)
    assert deadline(client) == ""
    assert 0 < next_deadline(client) <= 0.11
    world.clock.advance(0.1)
    assert deadline(client) == "heart-beat missed"
    assert client.error() == "heart-beat-missed"


def test_a_peer_that_takes_nothing_is_given_up_after_the_time_of_the_settings(world: StompWorld) -> None:
    """FAULTS 54; beats of its own prove nothing."""
    client, publisher = world.client(heart_beat="1000,0"), world.client()
    client.say(subscribe())
    client.connection.room = 0
    publisher.say(send("1"))
    stall = world.settings.limits.write_stall_seconds
    for _ in range(int(stall) - 1):
        world.clock.advance(1)
        client.say(b"\n")
        assert deadline(client) == ""
    client.connection.take_more(5)
    world.clock.advance(stall - 1)
    client.say(b"\n")
    assert deadline(client) == ""  # the stall is counted from the last octet that it took
    world.clock.advance(1)
    client.say(b"\n")
    assert "does not read" in deadline(client)


def test_who_has_said_goodbye_need_not_beat_any_more(world: StompWorld) -> None:
    """FAULTS 20: the receipt of a DISCONNECT may have to wait for a slow disk."""
    client = world.client(heart_beat="1000,1000")
    client.say_now(send("1", receipt="a"), frame("DISCONNECT", receipt="b"))
    world.clock.advance(30)
    assert client.stomp.deadline(world.clock.monotonic()) == ""
    world.node.end_step()
    assert client.connection.written[-1:] == b"\n"  # and is told that we live
    world.settle_down()
    assert client.commands() == ["RECEIPT a", "RECEIPT b"]
