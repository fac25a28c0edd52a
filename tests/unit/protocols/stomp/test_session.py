"""A STOMP session without sockets: the way in of messages, receipts, output, deadlines, the end."""

from __future__ import annotations

import gc
import weakref

import pytest

from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.state import State
from tests.unit.broker.actors import record
from tests.unit.protocols.stomp.actors import StompWorld
from tests.unit.protocols.stomp.session_frames import ack, frame, send, subscribe

# Receipts -----------------------------------------------------------------------------------------------------------


def test_a_receipt_comes_when_the_message_is_on_disk_and_not_before(world: StompWorld) -> None:
    client = world.client()
    client.say_now(send("1", receipt="a"), send("2"), send("3", receipt="b"))
    assert client.commands() == []
    world.store.sync()
    assert client.commands() == ["RECEIPT a", "RECEIPT b"]


def test_receipts_come_in_the_order_of_their_frames_whatever_these_are(world: StompWorld) -> None:
    client = world.client()
    client.say(send("1"), subscribe("/queue/q", "s"))
    assert client.commands() == ["MESSAGE 1"]
    client.say(
        send("2", "/queue/other", receipt="1"),
        ack(1, receipt="2"),
        frame("BEGIN", transaction="t", receipt="3"),
        send("3", "/queue/other", transaction="t", receipt="5"),
        frame("ABORT", transaction="t", receipt="6"),
        frame("UNSUBSCRIBE", id="s", receipt="7"),
        frame("DISCONNECT", receipt="8"),
        send("behind", receipt="9"),
    )
    assert client.commands() == [f"RECEIPT {number}" for number in (1, 2, 3, 6, 7, 8)]
    assert client.stomp.quiet()
    assert client.stomp.finished


def test_receipts_within_a_transaction_follow_its_commit(world: StompWorld) -> None:
    client = world.client()
    client.say(send("1"), subscribe())
    client.commands()
    client.say(
        frame("BEGIN", transaction="t", receipt="1"),
        send("2", "/queue/other", transaction="t", receipt="2"),
        ack(1, transaction="t", receipt="3"),
        send("3", "/queue/other", receipt="4"),
        frame("COMMIT", transaction="t", receipt="5"),
    )
    assert client.commands() == ["RECEIPT 1", "RECEIPT 4", "RECEIPT 2", "RECEIPT 3", "RECEIPT 5"]


def test_receipts_and_the_error_behind_them_keep_their_order_over_reads(world: StompWorld) -> None:
    client = world.client()
    client.say_now(send("1", receipt="a"))
    client.say_now(send("2", receipt="b"), frame("BEGIN"))
    assert client.commands() == []
    assert not client.stomp.quiet()
    world.store.sync_all()
    assert client.commands() == ["RECEIPT a", "RECEIPT b", "ERROR missing-header"]
    assert client.stomp.quiet()


def test_an_error_that_nothing_is_owed_before_does_not_wait_for_the_disk(world: StompWorld) -> None:
    """With a full disk nothing becomes durable for hours: strangers and dead peers must go all the same."""
    publisher = world.client()
    publisher.say_now(send("1", receipt="a"))
    assert world.store.under_way
    client = world.stranger()
    client.say_now(frame("BEGIN", transaction="t"))
    assert client.error() == "unexpected-command"
    assert client.stomp.quiet()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_frame_that_fails_gets_its_receipt_id_in_the_error(world: StompWorld, number: int) -> None:
    client = world.client()
    frames = [send("1", receipt="0"), ack(7, receipt="1"), frame("COMMIT", transaction="t", receipt="2")]
    client.say(frames[number])
    if number == 0:
        assert client.commands() == ["RECEIPT 0"]
        return
    (error,) = client.frames()
    assert (error.command, error["receipt-id"]) == ("ERROR", str(number))


def test_a_repeated_message_is_confirmed_as_a_duplicate(world: StompWorld) -> None:
    """FAULTS 33."""
    client = world.client()
    client.say(send("1", dedup_id="x", receipt="a"), send("1", dedup_id="x", receipt="b"), send("1", dedup_id="y"))
    first, second = client.frames()
    assert "duplicate" not in first
    assert (second["receipt-id"], second["duplicate"]) == ("b", "true")
    assert world.node.queue("q").statistics().ready == 2


def test_a_producer_that_gives_each_message_an_id_is_read_quickly_and_means_the_same(world: StompWorld) -> None:
    client = world.client()
    client.say(*(send(f"{number}", dedup_id=f"id:{number % 7}", receipt=f"{number}") for number in range(20)))
    receipts = client.frames()
    assert ["duplicate" in receipt for receipt in receipts] == [False] * 7 + [True] * 13
    assert [receipt["message-id"] for receipt in receipts[7:]] == [
        receipts[number % 7]["message-id"] for number in range(7, 20)
    ]
    client.say(subscribe("/queue/q"))
    assert [message["dedup-id"] for message in client.frames()] == [f"id:{number}" for number in range(7)]


def test_messages_of_many_groups_are_read_quickly_and_mean_the_same(world: StompWorld) -> None:
    client = world.client()
    names = [f"g:{number % 7}" for number in range(20)]
    client.say(*(send("x", JMSXGroupID=name, receipt="r") for name in names))
    assert [dict(receipt.headers) for receipt in client.frames()] == [{"receipt-id": "r"}] * 20
    client.say(subscribe("/queue/q"))
    assert [message["JMSXGroupID"] for message in client.frames()] == names


@pytest.mark.parametrize("destination", ["/topic/t", "/topic/t,/topic/u"])
def test_ids_of_messages_to_topics_are_passed_on(world: StompWorld, destination: str) -> None:
    client = world.client()
    client.say(subscribe("/topic/t", ack="auto"))
    client.say(*(send("x", destination, dedup_id=f"{number % 3}", receipt="r") for number in range(6)))
    frames = client.frames()
    messages = [frame for frame in frames if frame.command == "MESSAGE"]
    assert [frame["dedup-id"] for frame in messages] == ["0", "1", "2", "0", "1", "2"]
    assert {frame["destination"] for frame in messages} == {destination}
    assert [dict(frame.headers) for frame in frames if frame.command == "RECEIPT"] == [{"receipt-id": "r"}] * 6


def test_numbered_messages_are_read_quickly_and_mean_the_same(world: StompWorld) -> None:
    client = world.client()
    numbers = (1, 2, 3, 4, 4, 7, 5, 8)
    client.say(*(send("x", producer_name="p", sequence_id=f"{number}", receipt="r") for number in numbers))
    answers = [(receipt["sequence-id"], "duplicate" in receipt) for receipt in client.frames()]
    assert answers == [
        ("1", False), ("2", False), ("3", False), ("4", False), ("4", True), ("7", False), ("7", True), ("8", False),
    ]  # fmt: skip


def test_nothing_is_confirmed_behind_an_error_that_the_read_itself_has_caused(world: StompWorld) -> None:
    """The queue behind one subscription is deleted by the UNSUBSCRIBE of another: the ERROR is the last word."""
    client = world.client()
    for name in ("one", "two"):
        client.say(subscribe("/topic/t", name, x_queue_name="shared", durable="true"))
    client.say(
        send("1", "/queue/other", receipt="before"), frame("UNSUBSCRIBE", id="one", durable="true", receipt="never")
    )
    assert client.commands() == ["RECEIPT before", "ERROR not-found"]


# The way in ---------------------------------------------------------------------------------------------------------


def test_one_read_is_one_batch_on_disk(world: StompWorld) -> None:
    client = world.client()
    client.say(send("0"))
    before = len(world.store.played_journal.entries)
    client.say(*[send(str(number), f"/queue/{number % 3}") for number in range(100)])
    assert len(world.store.played_journal.entries) == before + 1


def test_a_message_is_delivered_as_it_was_sent(world: StompWorld) -> None:
    client, consumer = world.client(), world.client("1.1")
    consumer.say(subscribe())
    client.say(
        frame("SEND", b"\0\n\xff", destination="/queue/q", content_length=3, **{"a b": "x:y\n\\", "message-id": 7})
    )
    (message,) = consumer.frames()
    assert message.body == b"\0\n\xff"
    assert message["a b"] == "x:y\n\\"
    assert message["message-id"] != "7"
    assert message["content-length"] == "3"
    assert message["destination"] == "/queue/q"
    assert (message["redelivered"], message["x-delivery-count"]) == ("false", "1")


def test_what_stands_before_a_bad_frame_has_happened_and_what_stands_behind_it_has_not(world: StompWorld) -> None:
    client = world.client()
    client.say(send("1"), subscribe(), send("2"))
    client.commands()
    client.say(ack(1), send("3"), b"FETCH\n\n\0", ack(2), send("4"))
    assert client.error() == "bad-command"
    statistics = world.node.queue("q").statistics()
    assert (statistics.settled, statistics.published) == (1, 3)


@pytest.mark.parametrize("ack_id", ["1-2", "2-1", "1-", "-1", "1-x", "1-1.1.1", "x", "", "1-" + "9" * 5000, "1-1.2"])
def test_an_unknown_ack_id_is_an_error_and_nothing_changes(world: StompWorld, ack_id: str) -> None:
    """FAULTS 38."""
    client = world.client()
    client.say(send("1"), subscribe())
    client.commands()
    client.say(frame("ACK", id=ack_id))
    assert client.error() in ("unknown-ack", "missing-header")
    assert world.node.queue("q").statistics().settled == 0
    assert world.log.named("internal.error") == []


def test_nothing_but_the_login_is_taken_from_a_stranger(world: StompWorld) -> None:
    for bad in (send("1"), frame("ACK", id="1-1"), subscribe(), b"\x16\x03\x01\n\n"):
        stranger = world.stranger()
        stranger.say(bad)
        assert stranger.error() in ("unexpected-command", "bad-command", "unknown-ack")
    assert world.node.queues == {}


def test_a_queue_that_is_deleted_within_a_read_is_found_anew(world: StompWorld) -> None:
    """Or the second message would be confirmed and go where nobody can read it."""
    client = world.client()
    client.say(subscribe("/queue/q", auto_delete="true"))
    client.say(send("1"), frame("UNSUBSCRIBE", id="s"), send("2", receipt="r"))
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queue("q").statistics().ready == 1


def test_a_queue_that_is_deleted_between_reads_is_made_anew(world: StompWorld) -> None:
    client = world.client()
    client.say(send("1"))
    world.node.delete_queue("q")
    client.say(send("2", receipt="r"))
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queue("q").statistics().ready == 1


def test_no_limit_of_the_way_in_is_an_internal_error(world: StompWorld) -> None:
    client = world.client()
    client.say(frame("SEND", destination="/queue/" + "x" * 2000))
    assert client.error() == "invalid-destination"


# Login --------------------------------------------------------------------------------------------------------------


def test_frames_behind_connect_are_taken_when_the_login_is_through(world: StompWorld) -> None:
    client = world.stranger()
    client.say(
        frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"),
        send("1", receipt="a"),
        subscribe(),
        frame("DISCONNECT", receipt="b"),
    )
    assert client.commands() == ["CONNECTED", "RECEIPT a", "RECEIPT b"]
    assert world.node.queue("q").statistics().ready == 1


def test_a_login_that_takes_time_is_left_to_the_connection(world: StompWorld) -> None:
    client = world.stranger("192.0.2.1:1")
    client.say(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"))
    assert client.stomp.login is not None
    assert client.commands() == []
    assert client.stomp.state.state is State.LOGIN


async def test_who_may_not_log_in_is_told_so(world: StompWorld) -> None:
    client = world.stranger("192.0.2.1:1")
    client.say(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"), send("1"))
    assert client.stomp.login is not None
    await client.stomp.login()
    world.settle_down()
    assert client.error() == "bad-connect"
    assert world.node.queues == {}
    assert world.node.sessions == {}


async def test_a_login_that_is_decided_after_the_end_changes_nothing(world: StompWorld) -> None:
    client = world.stranger("192.0.2.1:1")
    client.say(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"))
    login, client.stomp.login = client.stomp.login, None  # as `TcpConnection` does
    assert login is not None
    client.hang_up()
    await login()
    assert world.node.sessions == {}


def test_nobody_logs_in_once_the_broker_stops(world: StompWorld) -> None:
    world.node.stopping = True
    client = world.stranger()
    client.say(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="guest"))
    assert client.error() == "shutting-down"


# Output -------------------------------------------------------------------------------------------------------------


def test_all_that_a_step_has_to_say_leaves_in_one_write(world: StompWorld) -> None:
    client = world.client()
    client.say_now(subscribe(receipt="1"), send("1", receipt="2"))
    before = len(client.connection.written)
    writes: list[bytes] = []
    client.connection._send = writes.append  # type: ignore[method-assign, assignment]
    world.settle_down()
    assert len(writes) == 1
    assert writes[0].startswith(b"RECEIPT")
    assert b"MESSAGE" in writes[0]
    assert len(client.connection.written) == before


def test_nothing_is_delivered_while_the_output_buffer_is_full_and_all_of_it_after_that() -> None:
    world = StompWorld(output_buffer_bytes_max=64 << 10)
    client, publisher = world.client(), world.client()
    client.connection.room = 0
    client.say(subscribe(prefetch_count=1000))
    publisher.say(*[send("x" * 1000) for _ in range(100)])
    publisher.say(*[send("y" * 1000) for _ in range(100)])
    held = world.node.queue("q").statistics().in_flight
    assert 64 <= held < 200
    client.connection.take_more()
    world.settle_down()
    assert len(client.bodies()) == 200


@pytest.mark.parametrize("piece", [100, 70_000, 10_000_000])
@pytest.mark.parametrize("mode", ["auto", "client-individual"])
def test_deliveries_go_on_however_the_kernel_takes_them(piece: int, mode: str) -> None:
    """A buffer that was full is never forgotten, whether it drains in small pieces or at one go."""
    world = StompWorld(output_buffer_bytes_max=64 << 10)
    client, publisher = world.client(), world.client()
    client.connection.room = 100
    client.say(subscribe(prefetch_count=1000, ack=mode))
    for _ in range(20):
        publisher.say(*[send("x" * 5000) for _ in range(10)])
    for _ in range(1_300_000 // piece + 40):
        client.connection.take_more(piece)
    assert len(client.bodies()) == 200


def test_a_buffer_that_was_full_because_all_together_were_is_resumed() -> None:
    world = StompWorld(output_buffer_bytes_max=1 << 20)
    client, publisher = world.client(), world.client()
    publisher.say(*[send("x" * 10_000) for _ in range(50)])
    world.node.pressure.output_bytes += world.settings.memory.high_water_bytes  # all the others
    client.connection.room = 0
    client.say(subscribe(prefetch_count=50, consumer_window_size=1 << 20))
    assert 1 <= world.node.queue("q").statistics().in_flight < 50
    world.node.pressure.output_bytes -= world.settings.memory.high_water_bytes
    client.connection.take_more()
    world.settle_down()
    assert len(client.bodies()) == 50


def test_what_waits_for_a_peer_that_does_not_read_is_counted_with_that_of_all_others(world: StompWorld) -> None:
    client, publisher = world.client(), world.client()
    pressure = world.node.pressure
    client.connection.room = 0
    client.say(subscribe(prefetch_count=1000))
    publisher.say(send("x" * 100))
    first = pressure.output_bytes
    assert first > 100
    publisher.say(*[send("y" * 10_000) for _ in range(10)])
    assert pressure.output_bytes - first > 100_000
    client.connection.take_more(first + 1)
    assert 100_000 < pressure.output_bytes <= first + 101_000 + 2000
    client.connection.take_more()
    assert pressure.output_bytes == 0


@pytest.mark.parametrize("end", ["hang up", "after error"])
def test_what_waited_for_a_peer_is_no_longer_counted_when_it_is_gone(world: StompWorld, end: str) -> None:
    client, publisher = world.client(), world.client()
    client.connection.room = 0
    client.say(subscribe(prefetch_count=1000))
    for _ in range(3):
        publisher.say(send("y" * 10_000))
    if end == "after error":
        client.say(b"FETCH\n\n\0")
    assert world.node.pressure.output_bytes > 0
    client.hang_up()
    assert world.node.pressure.output_bytes == 0


def test_an_auto_delivery_is_settled_when_the_kernel_has_it(world: StompWorld) -> None:
    client, publisher = world.client(), world.client()
    client.connection.room = 0
    client.say(subscribe(ack="auto"))
    publisher.say(send("1"), send("2"))
    statistics = world.node.queue("q").statistics()
    assert (statistics.in_flight, statistics.settled) == (2, 0)
    client.connection.take_more()
    world.settle_down()
    statistics = world.node.queue("q").statistics()
    assert (statistics.in_flight, statistics.settled) == (0, 2)


def test_an_auto_delivery_that_the_kernel_never_took_returns(world: StompWorld) -> None:
    client, publisher = world.client(), world.client()
    client.connection.room = 10
    client.say(subscribe(ack="auto"))
    publisher.say(send("1"))
    client.hang_up()
    other = world.client()
    other.say(subscribe())
    (message,) = other.frames()
    assert (message.body, message["redelivered"]) == (b"1", "true")


def test_a_message_that_can_not_be_written_ends_its_connection_and_no_other(world: StompWorld) -> None:
    """A record in a form that a front-end can't read must not end the broker, start after start."""
    client, other = world.client("1.1"), world.client()
    client.say(subscribe(ack="auto"))
    world.node.queue("q").publish(record("no block and no blank line"))
    world.store.want()
    world.settle_down()
    assert client.error() == "internal-error"
    assert len(world.log.named("internal.error")) == 1
    other.say(send("x", "/queue/else", receipt="r"))
    assert other.commands() == ["RECEIPT r"]
    assert world.node.queue("q").statistics().ready == 1


# The end ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["disconnect", "hang up", "end of input", "error", "operator"])
def test_whatever_ends_a_session_returns_its_messages_and_aborts_its_transactions(world: StompWorld, way: str) -> None:
    """FAULTS 35, 43."""
    client, other = world.client(), world.client()
    client.say(send("1"), send("2"), subscribe(prefetch_count=1), frame("BEGIN", transaction="t"))
    client.say(ack(1, transaction="t"), send("3", transaction="t"))
    other.say(subscribe(prefetch_count=10))
    assert other.bodies() == ["2"]
    match way:
        case "disconnect":
            client.say(frame("DISCONNECT", receipt="r"))
        case "hang up":
            client.hang_up()
        case "end of input":
            client.stomp.end_of_input()
            client.hang_up()
        case "error":
            client.say(b"FETCH\n\n\0")
        case "operator":
            client.connection.close("by an operator")
            world.settle_down()
    (message,) = other.frames()
    assert (message.body, message["redelivered"], message["x-delivery-count"]) == (b"1", "true", "2")
    assert world.node.queue("q").statistics().published == 2
    assert len(world.node.sessions) == 1


def test_a_stop_says_so_behind_the_receipts(world: StompWorld) -> None:
    client = world.client()
    client.say_now(send("1", receipt="r"))
    world.node.stopping = True
    client.connection.close("the broker is shutting down")
    world.settle_down()
    assert client.commands() == ["RECEIPT r", "ERROR shutting-down"]


def test_nothing_is_processed_behind_the_end(world: StompWorld) -> None:
    client = world.client()
    client.say(frame("DISCONNECT", receipt="r"))
    client.say(send("1", receipt="s"), b"FETCH\n\n\0")
    client.stomp.end_of_input()
    client.connection.close("by an operator")
    world.settle_down()
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queues == {}


@pytest.mark.parametrize(
    "way", ["stranger", "logging in", "idle", "busy", "stuck", "error", "not UTF-8", "no such mode"]
)
def test_a_connection_that_is_gone_is_freed_without_the_garbage_collector(world: StompWorld, way: str) -> None:
    """FAULTS 58: in a storm of connects, thousands that were gone waited for the collector to come by."""
    client = world.stranger() if way in ("stranger", "logging in") else world.client()
    if way == "logging in":
        client.say(frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="wrong"))
        assert client.stomp.login is not None
    elif way == "busy":
        client.say(send("1"), subscribe(), frame("BEGIN", transaction="t"), send("2", transaction="t"))
    elif way == "stuck":
        client.connection.room = 0
        client.say(send("1"), subscribe(ack="auto"))
    elif way == "error":
        client.say(b"FETCH\n\n\0")
    elif way == "not UTF-8":
        client.say(b"SEND\ndestination:\xff\n\n\0")
    elif way == "no such mode":
        client.say(frame("SUBSCRIBE", id="0", destination="/queue/q", ack="never"))
    connection, session = weakref.ref(client.connection), weakref.ref(client.stomp)
    gc.disable()
    try:
        client.hang_up()
        del client.connection.conversation  # as `TcpConnection` does
        del client
        assert connection() is None
        assert session() is None
    finally:
        gc.enable()


def test_a_session_that_has_failed_before_it_was_told_which_version_answers_as_in_the_oldest(world: StompWorld) -> None:
    stranger = world.stranger()
    stranger.say(frame("CONNECT", accept_version="9.9", host="a:b"))
    assert stranger.stomp.version is Version.V1_2
    assert stranger.error() == "version-mismatch"
