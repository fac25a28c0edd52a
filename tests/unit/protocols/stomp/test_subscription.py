"""A STOMP subscription: MESSAGE frames from deliveries, and ack ids back into messages."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import StompProtocolError
from segue.protocols.stomp.headers import AckMode
from segue.protocols.stomp.subscription import StompSubscription, read_delivery
from tests.helpers.stomp_frames import FrameReader
from tests.unit.broker.actors import record
from tests.unit.protocols.stomp.actors import StompWorld

BLOCK = b"destination:/queue/q\nname:a\\cb\ncontent-length:1\n\n"


@pytest.mark.parametrize(
    ("text", "found"), [(b"1", (1, 1)), (b"12.3", (12, 3)), (b"1.1", (1, 1)), (b"9" * 19, (int("9" * 19), 1))]
)
def test_the_end_of_an_ack_id_names_a_message_and_its_delivery(text: bytes, found: tuple[int, int]) -> None:
    assert read_delivery(text) == found


@pytest.mark.parametrize("text", [b"", b".", b"1.", b".1", b"a", b"-1", b"1.2.3", b" 1", b"1_0", b"1" * 41, b"\xb2"])
def test_anything_else_is_no_ack_id(text: bytes) -> None:
    with pytest.raises(StompProtocolError):
        read_delivery(text)


@pytest.mark.parametrize("mode", list(AckMode))
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("log_id", [7, -7])
def test_each_delivery_is_one_frame_as_its_version_and_mode_want_it(version: str, mode: AckMode, log_id: int) -> None:
    client = StompWorld().client(version)
    subscription = StompSubscription(client.stomp, 3, "100% s", "/queue/q", mode)
    subscription.number_messages(log_id)
    subscription.deliver([5, 6], [record(b"x", BLOCK), record(b"y", BLOCK)], False)
    subscription.deliver([9], [record(b"z", BLOCK)], True)
    subscription.deliver_again(2, record(b"w", BLOCK), 4)
    client.world.node.end_step()
    frames = client.frames()
    prefix = "7-" if log_id > 0 else f"{client.stomp.frontend.epoch}-7-"
    assert [frame["message-id"] for frame in frames] == [prefix + seq for seq in ("5", "6", "9", "2")]
    assert [frame["redelivered"] for frame in frames] == ["false", "false", "true", "true"]
    assert [frame["x-delivery-count"] for frame in frames] == ["1", "1", "1", "4"]
    assert [frame.body for frame in frames] == [b"x", b"y", b"z", b"w"]
    assert {frame["subscription"] for frame in frames} == {"100% s"}
    wants_ack = version == "1.2" and mode is not AckMode.AUTO
    assert [frame.get("ack") for frame in frames] == (["3-5", "3-6", "3-9", "3-2.4"] if wants_ack else [None] * 4)
    assert {frame["name"] for frame in frames} == {"a:b"}


@pytest.mark.parametrize("mode", [AckMode.AUTO, AckMode.CLIENT])
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_large_message_has_the_form_of_a_small_one(version: str, mode: AckMode, size: int) -> None:
    client = StompWorld().client(version)
    subscription = StompSubscription(client.stomp, 3, "100% s", "/queue/q", mode)
    subscription.number_messages(7)
    message = record(b"%" * size, b"destination:/queue/q\nname:a\\cb\ncontent-length:%d\n\n" % size)
    subscription.deliver([5], [message], False)
    subscription.deliver([6, 7], [message, record(b"x", BLOCK)], True)
    subscription.deliver_again(2, message, 4)
    client.world.node.end_step()
    frames = [*client.frames(), *client.reader.feed(subscription.frame(8, message))]
    assert [frame["message-id"] for frame in frames] == ["7-5", "7-6", "7-7", "7-2", "7-8"]
    assert [len(frame.body) for frame in frames] == [size, size, 1, size, size]
    assert [set(frame.body) for frame in frames] == [{ord("%")}, {ord("%")}, {ord("x")}, {ord("%")}, {ord("%")}]
    assert {(frame["subscription"], frame["name"]) for frame in frames} == {("100% s", "a:b")}
    wants_ack = version == "1.2" and mode is not AckMode.AUTO
    assert {frame.get("ack") is not None for frame in frames} == {wants_ack}


def test_a_message_that_is_only_looked_at_has_the_same_form() -> None:
    client = StompWorld().client()
    subscription = StompSubscription(client.stomp, 1, "b", "/queue/q", AckMode.AUTO)
    subscription.number_messages(7)
    reader = FrameReader()
    (shown,) = reader.feed(subscription.frame(4, record(b"x", BLOCK)))
    (end,) = reader.feed(subscription.end_of_browse())
    assert (shown["message-id"], shown.body) == ("7-4", b"x")
    assert (end["browser"], end["destination"]) == ("end", "/queue/q")
