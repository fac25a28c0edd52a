"""Escapes, per version and between versions (stomp.md §1, FAULTS 65)."""

from __future__ import annotations

import pytest

from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


@pytest.mark.parametrize(
    ("version", "wire", "meaning"),
    [
        ("1.2", r"a\nb\cc\\d\re", "a\nb:c\\d\re"),
        ("1.2", r"\\n", r"\n"),
        ("1.2", r"\\\\", r"\\"),
        ("1.1", r"a\nb\cc\\d", "a\nb:c\\d"),
        ("1.0", r"a\nb\\c", r"a\nb\\c"),
        ("1.0", r"ends with \ ".rstrip(), r"ends with \ ".rstrip()),
    ],
)
def test_a_value_means_what_its_version_says(
    connect: Connect, queue: str, version: str, wire: str, meaning: str
) -> None:
    consumer = connect("1.2")
    consumer.subscribe(queue, ack="auto")
    producer = connect(version)
    producer.send_bytes(f"SEND\ndestination:{queue}\nfoo:{wire}\n\n\0".encode())
    assert consumer.expect_message()["foo"] == meaning


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_names_are_escaped_as_well(connect: Connect, queue: str, version: str) -> None:
    client = connect(version)
    client.subscribe(queue, ack="auto")
    client.publish(queue, headers={"a:b\nc\\d": "e:f"})
    assert client.expect_message()["a:b\nc\\d"] == "e:f"


@pytest.mark.parametrize(
    ("version", "value"),
    [
        ("1.2", r"tab\t"),
        ("1.2", r"\a"),
        ("1.2", r"\ "),
        ("1.2", "ends with \\"),
        ("1.2", r"\C"),
        ("1.1", r"\r"),
        ("1.1", r"tab\t"),
        ("1.1", "ends with \\"),
    ],
)
@pytest.mark.parametrize("where", ["value", "name"])
def test_an_undefined_escape_is_fatal(connect: Connect, queue: str, version: str, value: str, where: str) -> None:
    """Fault 65."""
    consumer = connect()
    consumer.subscribe(queue)
    client = connect(version)
    line = f"foo:{value}" if where == "value" else f"{value}:foo"
    client.send_bytes(f"SEND\ndestination:{queue}\n{line}\n\nbody\0".encode())
    client.expect_error()
    consumer.expect_no_message()


@pytest.mark.parametrize("receiver", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("sender", ["1.1", "1.2"])
def test_a_value_is_encoded_anew_for_its_receiver(connect: Connect, queue: str, sender: str, receiver: str) -> None:
    """What the receiver's version cannot say becomes a space: LF in 1.0."""
    consumer = connect(receiver)
    consumer.subscribe(queue, ack="auto")
    connect(sender).publish(queue, headers={"foo": "a:b\nc\\d"})
    expected = {"1.0": "a:b c\\d", "1.1": "a:b\nc\\d", "1.2": "a:b\nc\\d"}[receiver]
    assert consumer.expect_message()["foo"] == expected


@pytest.mark.parametrize(("receiver", "expected"), [("1.0", "a b"), ("1.1", "a b"), ("1.2", "a\rb")])
def test_a_carriage_return_becomes_a_space_where_it_cannot_be_said(
    connect: Connect, queue: str, receiver: str, expected: str
) -> None:
    consumer = connect(receiver)
    consumer.subscribe(queue, ack="auto")
    connect("1.2").publish(queue, headers={"foo": "a\rb"})
    assert consumer.expect_message()["foo"] == expected


def test_a_backslash_of_1_0_reaches_a_1_2_receiver(connect: Connect, queue: str) -> None:
    consumer = connect("1.2")
    consumer.subscribe(queue, ack="auto")
    connect("1.0").publish(queue, headers={"path": r"c:\new\table"})
    assert consumer.expect_message()["path"] == r"c:\new\table"


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_destination_with_escapes_is_named_by_its_meaning(connect: Connect, queue: str, version: str) -> None:
    client = connect(version)
    client.subscribe(f"{queue}:part", ack="auto")
    client.publish(f"{queue}:part", b"there")
    client.expect_message(b"there", destination=f"{queue}:part")


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_receipt_id_with_escapes_comes_back_as_it_was_meant(connect: Connect, version: str) -> None:
    client = connect(version)
    client.publish("/topic/nobody", receipt="a:b\\c\nd")
    client.expect_receipt("a:b\\c\nd")


def test_a_carriage_return_inside_a_1_2_line_is_an_error(connect: Connect, queue: str) -> None:
    """Fault 65: only one CR, directly before LF, belongs to the end of the line; any other is written as an escape."""
    consumer = connect("1.2")
    consumer.subscribe(queue)
    client = connect("1.2")
    client.send_bytes(f"SEND\ndestination:{queue}\nfoo:a\rdestination:/queue/other\n\nbody\0".encode())
    client.expect_error()
    consumer.expect_no_message()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_carriage_return_inside_an_older_line_is_data(connect: Connect, queue: str, version: str) -> None:
    """Fault 65."""
    consumer = connect("1.2")
    consumer.subscribe(queue, ack="auto")
    connect(version).send_bytes(f"SEND\ndestination:{queue}\nfoo:a\rb\n\nbody\0".encode())
    consumer.expect_message(b"body", foo="a\rb")
