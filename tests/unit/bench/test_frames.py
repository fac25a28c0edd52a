"""Frames of the load generator: what a broker reads is what was meant."""

import pytest

from segue.bench import frames
from segue.bench.replies import deliveries
from tests.unit.bench.loopback_broker import client_frames


def send_frames(count: int = 3, body_bytes: int = 64, first: int = 0) -> list[tuple[str, dict[str, str], bytes]]:
    return client_frames(frames.SendFrames(["/queue/a"], [7], 12, body_bytes).encode(first, count))


def headers(data: bytes) -> dict[str, str]:
    return client_frames(data)[-1][1]


def test_a_block_of_messages_is_as_many_send_frames() -> None:
    assert [command for command, _, _ in send_frames(count=3)] == ["SEND"] * 3


def test_the_receipts_are_the_numbers_of_the_messages() -> None:
    assert [fields["receipt"] for _, fields, _ in send_frames(count=3, first=998)] == ["998", "999", "1000"]


@pytest.mark.parametrize("size", [frames.BODY_BYTES_MIN, 21, 256, 100_000])
def test_a_body_has_the_size_that_was_asked_for(size: int) -> None:
    _, fields, body = send_frames(count=1, body_bytes=size)[0]
    assert (len(body), fields["content-length"]) == (size, str(size))


def test_the_size_of_a_body_does_not_depend_on_the_number_of_the_message() -> None:
    assert {len(body) for first in (0, 10**8) for _, _, body in send_frames(first=first)} == {64}


def test_a_body_starts_with_run_stream_and_number() -> None:
    assert send_frames(count=1, first=5)[0][2].startswith(b"#001200007000000005 ")


def test_the_receiving_side_finds_the_key_that_the_sending_side_wrote() -> None:
    sent = send_frames(count=2, first=41)
    message = b"".join(b"MESSAGE\nack:%d\n\n%b\0" % (number, frame[2]) for number, frame in enumerate(sent))
    assert deliveries(message).keys == [12_00007_000000041, 12_00007_000000042]


def test_a_percent_sign_in_a_destination_or_a_header_is_only_a_percent_sign() -> None:
    encoder = frames.SendFrames(["/queue/100%d"], [0], 0, 32, [("share", "50%")])
    fields = headers(encoder.encode(0, 2))
    assert (fields["destination"], fields["share"]) == ("/queue/100%d", "50%")


def test_a_colon_in_a_destination_is_escaped() -> None:
    assert headers(frames.SendFrames(["/queue/a:b"], [0], 0, 32).encode(0, 1))["destination"] == "/queue/a\\cb"


def test_a_producer_of_several_streams_goes_round_them_in_turn() -> None:
    sent = client_frames(frames.SendFrames(["/queue/a", "/queue/b"], [0, 1], 0, 32).encode(3, 3))
    assert [(fields["destination"], body[:19]) for _, fields, body in sent] == [
        ("/queue/b", b"#000000001000000001"),
        ("/queue/a", b"#000000000000000002"),
        ("/queue/b", b"#000000001000000002"),
    ]


def test_connect_asks_for_version_1_2_and_no_heart_beats() -> None:
    fields = headers(frames.connect("me", "secret", "/"))
    assert (fields["accept-version"], fields["heart-beat"], fields["login"]) == ("1.2", "0,0", "me")


def test_subscribe_asks_for_credit_in_the_words_of_both_brokers() -> None:
    fields = headers(frames.subscribe(3, "/queue/a", "client", 50, [("durable", "true")]))
    assert (fields["prefetch-count"], fields["activemq.prefetchSize"]) == ("50", "50")
    assert (fields["id"], fields["receipt"], fields["durable"]) == ("3", "3", "true")


def test_every_delivery_gets_an_ack_of_its_own_with_the_id_as_it_came() -> None:
    acks = client_frames(frames.acknowledge([b"T_0@@1", b"ID\\c2"]))
    assert [(command, fields["id"]) for command, fields, _ in acks] == [("ACK", "T_0@@1"), ("ACK", "ID\\c2")]


def test_a_cumulative_ack_names_the_last_delivery() -> None:
    acks = client_frames(frames.acknowledge_through([b"1", b"2", b"3"]))
    assert [fields["id"] for _, fields, _ in acks] == ["3"]


def test_disconnect_asks_for_a_receipt() -> None:
    assert [(command, "receipt" in fields) for command, fields, _ in client_frames(frames.disconnect())] == [
        ("DISCONNECT", True)
    ]
