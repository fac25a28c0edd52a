"""A STOMP session while publishers are held: what waits, what does not, and in which order it goes on."""

from __future__ import annotations

import pytest

from tests.unit.protocols.stomp.actors import StompWorld
from tests.unit.protocols.stomp.session_frames import ack, deadline, frame, send, subscribe


def hold(world: StompWorld, *, held: bool = True) -> None:
    world.store.played_journal.short_of_space = held
    world.settle_down()
    assert world.node.held is held


def test_messages_wait_while_publishers_are_held_and_come_in_their_order(world: StompWorld) -> None:
    client = world.client()
    hold(world)
    client.say(send("1", receipt="1"), send("2"), send("3", receipt="3"))
    client.say(send("4", "/queue/other", receipt="4"), send("5"))
    assert client.commands() == []
    assert world.node.queues == {}
    hold(world, held=False)
    assert client.commands() == ["RECEIPT 1", "RECEIPT 3", "RECEIPT 4"]
    consumer = world.client()
    consumer.say(subscribe())
    assert consumer.bodies() == ["1", "2", "3", "5"]


def test_acknowledgements_are_taken_while_publishers_are_held_also_behind_messages(world: StompWorld) -> None:
    client = world.client()
    client.say(*[send(str(number)) for number in range(4)], subscribe())
    client.commands()
    hold(world)
    client.say(ack(1, receipt="before"), send("x", "/queue/other"), ack(2, receipt="behind"))
    client.say(ack(3), ack(4, command="NACK"))
    assert client.commands() == ["RECEIPT before", "RECEIPT behind", "MESSAGE 3"]
    assert world.node.queue("q").statistics().settled == 3


def test_a_transaction_of_acknowledgements_is_committed_while_publishers_are_held(world: StompWorld) -> None:
    """It makes room, and adds nothing."""
    client = world.client()
    client.say(send("1"), subscribe())
    client.commands()
    hold(world)
    client.say(frame("BEGIN", transaction="t"), ack(1, transaction="t"), frame("COMMIT", transaction="t", receipt="r"))
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queue("q").statistics().settled == 1


def test_a_transaction_with_messages_waits_for_room_when_it_is_committed(world: StompWorld) -> None:
    client = world.client()
    client.say(frame("BEGIN", transaction="t"), send("1", transaction="t"))
    hold(world)
    client.say(frame("COMMIT", transaction="t", receipt="r"), send("2"))
    assert client.commands() == []
    assert world.node.queues["q"].statistics().published == 0
    hold(world, held=False)
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queue("q").statistics().published == 2


def test_what_could_depend_on_a_message_that_waits_waits_too(world: StompWorld) -> None:
    client = world.client()
    client.say(send("0"), subscribe())
    client.commands()
    hold(world)
    client.say(
        send("1", "/queue/other"),
        frame("BEGIN", transaction="t"),
        ack(1, transaction="t"),
        frame("COMMIT", transaction="t"),
        subscribe("/queue/other", "o", receipt="r"),
    )
    assert client.commands() == []
    hold(world, held=False)
    assert client.commands() == ["RECEIPT r", "MESSAGE 1"]
    assert world.node.queue("q").statistics().settled == 1


def test_a_goodbye_behind_messages_that_wait_is_said_behind_them(world: StompWorld) -> None:
    client = world.client()
    hold(world)
    client.say(send("1", receipt="1"), frame("DISCONNECT", receipt="2"))
    assert not client.stomp.finished
    hold(world, held=False)
    assert client.commands() == ["RECEIPT 1", "RECEIPT 2"]
    assert client.stomp.finished


def test_a_peer_that_closes_its_side_while_its_messages_wait_gets_them_published(world: StompWorld) -> None:
    """FAULTS 60."""
    client = world.client()
    hold(world)
    client.say(send("1", receipt="1"), send("2", receipt="2"))
    client.stomp.end_of_input()
    assert client.stomp.finished
    assert not client.stomp.quiet()
    hold(world, held=False)
    assert client.commands() == ["RECEIPT 1", "RECEIPT 2"]
    assert client.stomp.quiet()


def test_the_deliveries_of_a_peer_that_closes_its_side_return_though_its_messages_wait(world: StompWorld) -> None:
    """Publishers may be held for hours."""
    client, other = world.client(), world.client()
    client.say(send("1"), subscribe())
    other.say(subscribe())
    hold(world)
    client.say(send("2"), frame("UNSUBSCRIBE", id="s"), frame("DISCONNECT", receipt="r"))
    client.stomp.end_of_input()
    world.settle_down()
    assert other.bodies() == ["1"]
    hold(world, held=False)
    assert client.commands() == ["MESSAGE 1", "RECEIPT r"]
    assert other.bodies() == ["2"]


def test_deliveries_that_a_waiting_transaction_acknowledges_do_not_return(world: StompWorld) -> None:
    client, other = world.client(), world.client()
    client.say(send("1"), subscribe())
    other.say(subscribe())
    hold(world)
    client.say(send("2"), frame("BEGIN", transaction="t"), ack(1, transaction="t"), frame("COMMIT", transaction="t"))
    client.stomp.end_of_input()
    world.settle_down()
    hold(world, held=False)
    assert other.bodies() == ["2"]
    assert world.node.queue("q").statistics().settled == 1


def test_a_peer_that_is_gone_takes_what_waits_along(world: StompWorld) -> None:
    client = world.client()
    hold(world)
    client.say(send("1", receipt="1"))
    client.hang_up()
    assert world.node.pressure.aside_bytes == 0
    assert world.node._waiting == {}
    hold(world, held=False)
    assert world.node.queues == {}


@pytest.mark.parametrize("end", ["error", "operator"])
def test_an_end_drops_what_waits(world: StompWorld, end: str) -> None:
    client = world.client(heart_beat="1000,0")
    hold(world)
    client.say(send("1", receipt="1"))
    if end == "error":
        world.clock.advance(10)
        assert deadline(client) == "heart-beat missed"
    else:
        client.connection.close("by an operator")
        world.settle_down()
    assert client.error() in ("heart-beat-missed", "closed-by-operator")
    assert world.node.pressure.aside_bytes == 0
    assert world.node._waiting == {}
    assert client.stomp.quiet()


@pytest.mark.parametrize(
    "octets",
    [send("x" * 70_000), send("", x="y" * 15_000)],
    ids=["a large body", "a large head"],
)
def test_a_connection_is_not_read_any_more_when_much_of_it_waits(octets: bytes) -> None:
    world = StompWorld(held_bytes_max=64 << 10)
    client = world.client()
    hold(world)
    said = 0
    while client.stomp.thirsty and said < 1 << 20:
        client.say(octets)
        said += len(octets)
    assert said < 192 << 10
    assert world.node.pressure.aside_bytes > 64 << 10
    hold(world, held=False)
    assert client.stomp.thirsty
    assert world.node.pressure.aside_bytes == 0


def test_frames_that_wait_are_counted_with_all_they_carry() -> None:
    world = StompWorld(held_bytes_max=64 << 10)
    client = world.client()
    hold(world)
    client.say(send("1"))
    for number in range(100):
        if not client.stomp.thirsty:
            break
        client.say(frame("BEGIN", b"b" * 10_000, transaction=f"{number}", x="y" * 5_000))
    assert number < 10


def test_all_that_waits_on_all_connections_is_bounded(world: StompWorld) -> None:
    """FAULTS 55 for publishers: thousands of them with a MiB each would be all the memory there is."""
    hold(world)
    clients = [world.client() for _ in range(200)]
    said = 0
    for _ in range(4):
        for client in clients:
            if client.stomp.thirsty:
                client.say(send("x" * 250_000))
                said += 1
    high = world.settings.memory.high_water_bytes
    assert world.node.pressure.aside_bytes < high // 2
    assert said < 800
    hold(world, held=False)
    assert world.node.pressure.aside_bytes == 0
    assert all(client.stomp.thirsty for client in clients)
