"""`browser:true`: reads without taking, as fast as the client takes it; ends when the client wants or all is seen."""

from __future__ import annotations

import pytest
import trio

from tests.helpers.stomp_frames import encode_frame
from tests.unit.protocols.stomp.actors import Client, StompWorld


def browse(client: Client, id: str = "b", ack: str = "auto") -> None:
    fields = {"destination": "/queue/q", "id": id, "browser": "true", "ack": ack}
    client.say(encode_frame("SUBSCRIBE", fields.items()))


def fill(world: StompWorld, count: int) -> None:
    client = world.client()
    client.say(*[encode_frame("SEND", [("destination", "/queue/q")], b"%d" % number) for number in range(count)])


async def test_a_browser_sees_everything_and_then_the_end() -> None:
    world = StompWorld()
    fill(world, 3)
    client = world.client()
    browse(client)
    await client.connection.tasks[0]()
    *messages, end = client.frames()
    assert [frame.body for frame in messages] == [b"0", b"1", b"2"]
    assert (end["browser"], end["subscription"], end.body) == ("end", "b", b"")
    assert world.node.queue("q").statistics().ready == 3


async def test_a_browser_that_unsubscribes_gets_nothing_more(autojump_clock: trio.abc.Clock) -> None:
    """Another subscription may have its id by then."""
    world = StompWorld()
    fill(world, 3)
    client = world.client()
    browse(client)
    client.say(encode_frame("UNSUBSCRIBE", [("id", "b")]))
    browse(client)
    first, second = client.connection.tasks
    await first()
    assert client.frames() == []
    await second()
    assert len(client.frames()) == 4


@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("ack", ["client", "client-individual"])
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
async def test_a_browser_may_acknowledge_what_it_sees_and_that_changes_nothing(
    version: str, ack: str, command: str
) -> None:
    """ActiveMQ takes it. Since 1.2 every MESSAGE of such a subscription has an `ack` header, the last one too."""
    world = StompWorld()
    fill(world, 2)
    client = world.client(version)
    browse(client, ack=ack)
    await client.connection.tasks[0]()
    shown = client.frames()
    for message in shown:
        fields = {"id": message["ack"]} if version == "1.2" else {"message-id": message["message-id"]}
        client.say(encode_frame(command, [*fields.items(), ("subscription", "b"), ("receipt", "r")], version=version))
    assert client.commands() == ["RECEIPT r"] * len(shown)
    assert world.node.queue("q").statistics().ready == 2


async def test_a_browser_waits_while_the_output_is_full_and_goes_on_after_that(
    autojump_clock: trio.abc.Clock, nursery: trio.Nursery
) -> None:
    world = StompWorld(output_buffer_bytes_max=64 << 10)
    publisher, client = world.client(), world.client()
    for _ in range(20):
        publisher.say(encode_frame("SEND", [("destination", "/queue/q")], b"x" * 50_000))
    client.connection.room = 0
    browse(client)
    nursery.start_soon(client.connection.tasks[0])
    await trio.sleep(5)
    assert world.node.pressure.output_bytes < 600_000
    client.connection.take_more()
    await trio.sleep(5)
    assert len(client.frames()) == 21


async def test_a_browser_ends_with_its_connection(autojump_clock: trio.abc.Clock) -> None:
    world = StompWorld()
    fill(world, 3)
    client = world.client()
    browse(client)
    client.hang_up()
    with trio.fail_after(30):
        await client.connection.tasks[0]()


async def test_a_queue_that_can_not_be_read_is_told_to_the_operator_and_not_passed_off_as_the_whole() -> None:
    """FAULTS 26. Messages are never fewer in silence: the end mark means that all were shown."""
    world = StompWorld()
    fill(world, 3)
    world.store.spill(world.node.queue("q").log)
    world.store.played_reader.fault = OSError(5, "Input/output error")
    client = world.client()
    browse(client)
    await client.connection.tasks[0]()
    assert client.error() == "unreadable"
    assert len(world.log.named("browse.failed")) == 1
