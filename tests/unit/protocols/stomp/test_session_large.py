"""A STOMP session and bodies that are too large to be copied more than once: they are messages like all others."""

from __future__ import annotations

from segue.broker.message import decode
from segue.protocols.stomp.body import LARGE_BODY_BYTES
from segue.storage.record import verify
from tests.unit.protocols.stomp.actors import Client, StompWorld
from tests.unit.protocols.stomp.session_frames import frame, send, subscribe

LARGE = "0123456789abcdef" * (LARGE_BODY_BYTES // 16) + "end"


def say_in_reads(client: Client, data: bytes, read_bytes: int = 256 << 10) -> None:
    for start in range(0, len(data), read_bytes):
        client.say(data[start : start + read_bytes])


def large_send(**headers: str) -> bytes:
    return send(LARGE, content_length=len(LARGE), **headers)


def test_a_large_message_keeps_its_place_its_headers_and_its_receipt(world: StompWorld, client: Client) -> None:
    say_in_reads(client, send("1") + large_send(receipt="2", colour="blue") + send("3", receipt="3"))
    assert client.commands() == ["RECEIPT 2", "RECEIPT 3"]
    consumer = world.client()
    consumer.say(subscribe())
    first, large, last = consumer.frames()
    assert (first.body, last.body) == (b"1", b"3")
    assert large.body == LARGE.encode()
    assert large["colour"] == "blue"


def test_the_record_of_a_large_message_is_sound(world: StompWorld, client: Client) -> None:
    say_in_reads(client, large_send(colour="blue"))
    record = world.node.queues["q"].log.find(1)
    assert record is not None
    assert verify(record)
    assert decode(record).headers.endswith(b"content-length:%d\n\n" % len(LARGE))
    assert decode(record).body == LARGE.encode()


def test_a_large_message_of_a_transaction_comes_with_its_commit(world: StompWorld, client: Client) -> None:
    consumer = world.client()
    consumer.say(subscribe())
    client.say(frame("BEGIN", transaction="t"))
    say_in_reads(client, large_send(transaction="t"))
    assert consumer.bodies() == []
    client.say(frame("COMMIT", transaction="t", receipt="c"))
    assert client.commands() == ["RECEIPT c"]
    assert consumer.bodies() == [LARGE]


def test_a_large_message_waits_while_publishers_are_held(world: StompWorld, client: Client) -> None:
    world.store.played_journal.short_of_space = True
    world.settle_down()
    say_in_reads(client, large_send(receipt="1"))
    assert client.commands() == []
    assert world.node.pressure.aside_bytes > len(LARGE)
    world.store.played_journal.short_of_space = False
    world.settle_down()
    assert client.commands() == ["RECEIPT 1"]
    assert world.node.pressure.aside_bytes == 0


def test_a_large_repeat_is_known_as_one(client: Client) -> None:
    for _ in range(2):
        say_in_reads(client, large_send(receipt="r", dedup_id="a"))
    assert [one.get("duplicate") for one in client.frames()] == [None, "true"]


def test_a_large_message_that_is_refused_names_its_receipt_in_the_error(client: Client) -> None:
    say_in_reads(client, large_send(receipt="r", expires="soon"))
    (error,) = client.frames()
    assert (error.command, error["receipt-id"]) == ("ERROR", "r")
