"""Logging in and leaving: versions, hosts, credentials, DISCONNECT (stomp.md §3)."""

from __future__ import annotations

import re

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("1.0", "1.0"),
        ("1.1", "1.1"),
        ("1.2", "1.2"),
        ("1.0,1.1,1.2", "1.2"),
        ("1.2,1.1,1.0", "1.2"),
        ("1.1,1.0", "1.1"),
        ("1.1,2.0,9.9", "1.1"),
        ("1.0, 1.1 ,1.2 ", "1.2"),
    ],
)
def test_the_highest_common_version_is_chosen(raw: StompClient, offered: str, chosen: str) -> None:
    assert raw.connect(offered)["version"] == chosen


def test_a_client_that_offers_no_version_gets_1_0(raw: StompClient, queue: str) -> None:
    raw.connect(None)
    raw.subscribe(queue, id=None, ack="auto")
    raw.publish(queue, b"plain")
    assert "subscription" not in raw.expect_message(b"plain")


def test_no_common_version_is_an_error_that_lists_the_versions(raw: StompClient) -> None:
    raw.send_connect("2.0,3.1")
    error = raw.expect_error()
    assert set(re.split(r"\s*,\s*", error["version"])) == {"1.0", "1.1", "1.2"}


def test_connected_says_version_session_server_and_heart_beat(raw: StompClient) -> None:
    frame = raw.connect("1.2", heart_beat="0,0")
    assert frame["session"]
    assert re.fullmatch(r"Segue/\d+\.\d+\.\d+.*", frame["server"])
    assert re.fullmatch(r"\d+,\d+", frame["heart-beat"])


def test_two_sessions_have_two_names(connect: Connect) -> None:
    sessions = [client.connected["session"] for client in (connect(), connect()) if client.connected is not None]
    assert len(set(sessions)) == 2


def test_a_request_id_is_answered_with_a_response_id(raw: StompClient) -> None:
    assert raw.connect("1.1", request_id="r-17")["response-id"] == "r-17"


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_stomp_is_another_word_for_connect(raw: StompClient, version: str) -> None:
    assert raw.connect(version, command="STOMP").get("version") == version


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_a_client_without_a_host_is_let_in(raw: StompClient, version: str) -> None:
    raw.send_frame("CONNECT", {"accept-version": version, "login": "guest", "passcode": "guest"})
    assert raw.expect("CONNECTED")["version"] == version


@pytest.mark.parametrize("host", ["/", "localhost", "127.0.0.1", "broker.example.org", "", "stomp.py"])
def test_an_unknown_host_means_the_default_virtual_host(raw: StompClient, host: str) -> None:
    raw.connect("1.2", host=host)


def test_an_unknown_host_that_starts_with_a_slash_is_refused(raw: StompClient) -> None:
    raw.send_connect("1.2", host="/nowhere")
    raw.expect_error("Bad CONNECT")


@pytest.mark.parametrize(
    ("login", "passcode"), [("guest", "wrong"), ("guest", None), ("nobody", "guest"), ("guest", ""), ("", "guest")]
)
def test_wrong_credentials_are_refused(raw: StompClient, login: str, passcode: str | None) -> None:
    raw.send_connect("1.2", login=login, passcode=passcode)
    error = raw.expect_error("Bad CONNECT")
    assert b"wrong" not in error.body


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(connect: Connect, broker: BrokerProcess) -> None:
    answers = []
    for login in ("guest", "nobody"):
        client = broker.raw_client()
        client.send_connect("1.2", login=login, passcode="wrong")
        error = client.expect_error()
        answers.append((error["message"], error.body.replace(login.encode(), b"?")))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_a_second_connect_is_an_error(connect: Connect, command: str) -> None:
    """Fault 66."""
    client = connect()
    client.send_connect(command=command)
    client.expect_error()


def test_end_of_lines_before_connect_are_skipped(raw: StompClient) -> None:
    raw.send_bytes(b"\n\r\n\n")
    raw.connect()


def test_connect_may_come_octet_by_octet(raw: StompClient) -> None:
    for octet in b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0":
        raw.send_bytes(bytes([octet]))
    assert raw.expect("CONNECTED")["version"] == "1.2"


def test_connect_and_what_follows_may_come_in_one_packet(raw: StompClient, queue: str) -> None:
    connect = b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0"
    send = f"SEND\ndestination:{queue}\nreceipt:1\n\nat once\0".encode()
    raw.send_bytes(connect + send)
    raw.expect("CONNECTED")
    raw.expect_receipt("1")


def test_the_values_of_connect_are_not_escaped(raw: StompClient) -> None:
    raw.send_bytes(b"CONNECT\naccept-version:1.2\nhost:a:b\nlogin:guest\npasscode:guest\nrequest-id:a\\b:c\n\n\0")
    assert raw.expect("CONNECTED")["response-id"] == "a\\b:c"


def test_disconnect_is_answered_before_the_server_closes(connect: Connect) -> None:
    client = connect()
    client.send_frame("DISCONNECT", {"receipt": "bye"})
    client.expect_receipt("bye")
    client.expect_end()


def test_disconnect_without_a_receipt_ends_the_connection(connect: Connect) -> None:
    client = connect()
    client.send_frame("DISCONNECT")
    client.expect_end()


def test_what_follows_disconnect_is_not_processed(connect: Connect, queue: str) -> None:
    client = connect()
    client.send_bytes(b"DISCONNECT\nreceipt:bye\n\n\0" + f"SEND\ndestination:{queue}\nreceipt:late\n\nlate\0".encode())
    client.expect_receipt("bye")
    client.expect_end()
    other = connect()
    other.subscribe(queue)
    other.expect_no_message()


def test_what_was_received_whole_is_processed_when_the_socket_closes(connect: Connect, queue: str) -> None:
    consumer = connect()
    consumer.subscribe(queue)
    producer = connect()
    for number in range(50):
        producer.publish(queue, b"%d" % number)
    producer.close()
    consumer.expect_messages(*(b"%d" % number for number in range(50)))


def test_half_a_frame_is_forgotten_when_the_socket_closes(connect: Connect, queue: str) -> None:
    consumer = connect()
    consumer.subscribe(queue)
    producer = connect()
    producer.publish(queue, b"whole")
    producer.send_bytes(f"SEND\ndestination:{queue}\n\nhalf".encode())
    producer.close()
    consumer.expect_message(b"whole")
    consumer.expect_no_message()
