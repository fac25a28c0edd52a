"""How octets become frames (stomp.md §2, FAULTS 64-66, 69)."""

from __future__ import annotations

import pytest

from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_VERSIONS = ["1.0", "1.1", "1.2"]


@pytest.fixture
def consumer(connect: Connect, queue: str) -> StompClient:
    """Who sees what a message has become."""
    client = connect()
    client.subscribe(queue, ack="auto")
    return client


@pytest.mark.parametrize("version", _VERSIONS)
def test_lines_may_end_with_crlf(connect: Connect, consumer: StompClient, queue: str, version: str) -> None:
    client = connect(version)
    client.send_bytes(f"SEND\r\ndestination:{queue}\r\nreceipt:1\r\n\r\nbody\r\n\0\r\n".encode())
    client.expect_receipt("1")
    consumer.expect_message(b"body\r\n", destination=queue)


def test_crlf_may_be_split_between_two_reads(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    for part in (b"SEND\r", f"\ndestination:{queue}\r".encode(), b"\nreceipt:1\r", b"\n\r", b"\nbody\0"):
        client.send_bytes(part)
    client.expect_receipt("1")
    consumer.expect_message(b"body", destination=queue)


def test_a_frame_may_come_octet_by_octet(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    for octet in f"SEND\ndestination:{queue}\ncontent-length:5\nreceipt:1\n\na\0b\nc\0\n".encode():
        client.send_bytes(bytes([octet]))
    client.expect_receipt("1")
    consumer.expect_message(b"a\0b\nc")


def test_a_hundred_frames_may_come_in_one_packet(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    client.send_bytes(b"".join(f"SEND\ndestination:{queue}\n\n{number}\0\n".encode() for number in range(100)))
    consumer.expect_messages(*(b"%d" % number for number in range(100)))


@pytest.mark.parametrize("between", [b"\n", b"\n\n\n", b"\r\n", b"\r\n\n\r\n", b"\0", b"\n\0\n"])
def test_end_of_lines_between_frames_are_skipped(
    connect: Connect, consumer: StompClient, queue: str, between: bytes
) -> None:
    client = connect()
    for number in range(3):
        client.send_bytes(between)
        client.publish(queue, b"%d" % number, receipt=str(number))
        client.expect_receipt(str(number))
    consumer.expect_messages(b"0", b"1", b"2")


def test_a_body_without_content_length_ends_at_the_first_nul(
    connect: Connect, consumer: StompClient, queue: str
) -> None:
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\n\nto the nul\0".encode())
    consumer.expect_message(b"to the nul", content_length="10")


@pytest.mark.parametrize("version", _VERSIONS)
@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0", b"a\0b", b"\n\n", b"SEND\n\n\0", bytes(range(256))])
def test_a_body_with_content_length_may_hold_any_octet(
    connect: Connect, consumer: StompClient, queue: str, version: str, body: bytes
) -> None:
    """Fault 64: NUL in the body."""
    client = connect(version)
    client.publish_confirmed(queue, body)
    consumer.expect_message(body, content_length=str(len(body)))


def test_an_empty_message_still_says_its_length(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\n\n\0".encode())
    consumer.expect_message(b"", content_length="0")


def test_content_length_counts_octets(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    client.publish(queue, "größer als gedacht: ✓".encode())
    consumer.expect_message("größer als gedacht: ✓".encode(), content_length="25")


def test_a_body_of_sixteen_mebioctets_passes(connect: Connect, consumer: StompClient, queue: str) -> None:
    body = bytes(range(256)) * (16 * 1024 * 4)
    client = connect()
    client.publish_confirmed(queue, body)
    consumer.expect_message(body)


def test_a_body_over_the_limit_is_refused_before_it_is_sent(connect: Connect, queue: str) -> None:
    """Fault 64: the length is enough to know."""
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\ncontent-length:{16 * 1024 * 1024 + 1}\n\nfirst".encode())
    client.expect_error("too large")


@pytest.mark.parametrize("length", ["-1", "+5", "1e9", "five", "", " 5", "5 ", "0x5", "5.0", "\u0665", "9" * 400])
def test_a_content_length_that_is_not_a_number_is_an_error_at_once(
    connect: Connect, consumer: StompClient, queue: str, length: str
) -> None:
    """Fault 64."""
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\ncontent-length:{length}\n\n".encode())
    client.expect_error()
    consumer.expect_no_message()


def test_a_content_length_that_is_too_small_is_an_error(connect: Connect, consumer: StompClient, queue: str) -> None:
    """Fault 64: no NUL where the body ends."""
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\ncontent-length:3\n\nlonger\0".encode())
    client.expect_error()
    consumer.expect_no_message()


def test_a_content_length_that_is_too_large_takes_what_follows_as_body(
    connect: Connect, consumer: StompClient, queue: str
) -> None:
    """Fault 64: exact by the specification, however much it hurts the sender."""
    client = connect()
    following = f"SEND\ndestination:{queue}\n\nnext"
    body = f"first\0{following}"
    client.send_bytes(f"SEND\ndestination:{queue}\ncontent-length:{len(body)}\n\n{body}\0".encode())
    consumer.expect_message(body.encode())
    consumer.expect_no_message()


def test_of_two_content_lengths_the_first_counts(connect: Connect, consumer: StompClient, queue: str) -> None:
    """Fault 64."""
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\ncontent-length:3\ncontent-length:7\n\na\0b\0".encode())
    consumer.expect_message(b"a\0b", content_length="3")


def test_a_content_length_copied_onto_an_ack_is_ignored(connect: Connect, queue: str) -> None:
    """Clients copy the headers of MESSAGE onto ACK; a frame that has no body ends at its NUL."""
    client = connect()
    client.subscribe(queue)
    client.publish(queue, b"x" * 8511)
    message = client.expect_message()
    client.send_frame("ACK", {"id": message["ack"], "content-length": "8511", "receipt": "acked"})
    client.expect_receipt("acked")


def test_the_body_of_a_1_0_subscribe_is_ignored(connect: Connect, queue: str) -> None:
    client = connect("1.0")
    client.send_bytes(f"SUBSCRIBE\ndestination:{queue}\nack:auto\nreceipt:1\n\nan old body\0".encode())
    client.expect_receipt("1")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_value_may_hold_colons_before_1_2(connect: Connect, consumer: StompClient, queue: str, version: str) -> None:
    client = connect(version)
    client.send_bytes(f"SEND\ndestination:{queue}\nx-url:tcp://a:1?b:c\n\n\0".encode())
    consumer.expect_message(x_url="tcp://a:1?b:c")


@pytest.mark.parametrize("line", ["no colon at all", ":no name", ""])
def test_a_header_line_without_a_colon_or_a_name_is_an_error(connect: Connect, queue: str, line: str) -> None:
    client = connect()
    client.send_bytes(f"SEND\ndestination:{queue}\n{line}\nx:y\n\nbody\0".encode() if line else b":\n\n\0")
    client.expect_error()


@pytest.mark.parametrize("version", _VERSIONS)
def test_the_first_of_repeated_headers_counts(
    connect: Connect, consumer: StompClient, queue: str, version: str
) -> None:
    """Fault 65: `destination` included."""
    client = connect(version)
    client.send_bytes(f"SEND\ndestination:{queue}\ndestination:/queue/other\nfoo:1\nfoo:2\n\n\0".encode())
    consumer.expect_message(destination=queue, foo="1")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_spaces_are_not_trimmed(connect: Connect, consumer: StompClient, queue: str, version: str) -> None:
    client = connect(version)
    client.send_bytes(f"SEND\ndestination:{queue}\nfoo:  two before, one after \nreceipt: r \n\n\0".encode())
    client.expect_receipt(" r ")
    consumer.expect_message(foo="  two before, one after ")


def test_a_1_0_header_loses_its_leading_space_only(connect: Connect, consumer: StompClient, queue: str) -> None:
    """The examples of STOMP 1.0 write `name: value`."""
    client = connect("1.0")
    client.send_bytes(f"SEND\ndestination: {queue}\nfoo: bar \n\n\0".encode())
    assert (consumer.expect_message(destination=queue)["foo"]).rstrip(" ") == "bar"


def test_header_names_are_case_sensitive(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    client.publish(queue, headers={"Foo": "1", "foo": "2", "FOO": "3"})
    frame = consumer.expect_message()
    assert [frame["Foo"], frame["foo"], frame["FOO"]] == ["1", "2", "3"]


@pytest.mark.parametrize("octets", [b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"a\x80"])
@pytest.mark.parametrize("version", _VERSIONS)
def test_headers_that_are_not_utf_8_are_an_error_and_are_not_passed_on(
    connect: Connect, consumer: StompClient, queue: str, octets: bytes, version: str
) -> None:
    """Fault 69."""
    client = connect(version)
    client.send_bytes(f"SEND\ndestination:{queue}\nfoo:".encode() + octets + b"\n\nbody\0")
    client.expect_error()
    consumer.expect_no_message()


def test_utf_8_in_headers_passes(connect: Connect, consumer: StompClient, queue: str) -> None:
    client = connect()
    client.publish(queue, headers={"größe": "日本語 \U0001f600", "x": "\u200f"})
    frame = consumer.expect_message()
    assert frame["größe"] == "日本語 \U0001f600"
    assert frame["x"] == "\u200f"
