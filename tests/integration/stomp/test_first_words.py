"""What a peer may say before it has logged in: almost nothing (FAULTS 66, stomp.md §3)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_COMMANDS = ["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"]


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_frame_before_connect_is_an_error(raw: StompClient, command: str) -> None:
    """Fault 66."""
    raw.send_frame(command, {"destination": "/queue/early", "id": "1", "transaction": "t", "receipt": "r"})
    raw.expect_error()


def test_a_message_before_connect_is_not_stored(raw: StompClient, connect: Connect, queue: str) -> None:
    """Fault 66."""
    raw.publish(queue, b"early")
    raw.expect_error()
    client = connect()
    client.subscribe(queue)
    client.expect_no_message()


@pytest.mark.parametrize("command", ["CONNECTED", "MESSAGE", "RECEIPT", "ERROR"])
@pytest.mark.parametrize("logged_in", [True, False])
def test_a_command_of_the_server_is_an_error(raw: StompClient, command: str, logged_in: bool) -> None:
    """Fault 66."""
    if logged_in:
        raw.connect()
    raw.send_frame(command, {"version": "1.2"})
    raw.expect_error()


@pytest.mark.parametrize("command", ["connect", "Connect", "send", "HELLO", "CONNECTION", "CONNECT ", " CONNECT"])
def test_an_unknown_or_lower_case_command_is_an_error(raw: StompClient, command: str) -> None:
    """Fault 66."""
    raw.send_frame(command, {"accept-version": "1.2", "login": "guest", "passcode": "guest"})
    raw.expect_error()


@pytest.mark.parametrize("command", ["send", "Subscribe", "PUBLISH", "SENDX"])
def test_an_unknown_command_after_login_is_an_error(connect: Connect, queue: str, command: str) -> None:
    """Fault 66."""
    client = connect()
    client.send_frame(command, {"destination": queue})
    client.expect_error("Bad command")


@pytest.mark.parametrize("octets", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\x00\xff" * 40, b"\x80" * 300])
def test_binary_before_connect_ends_the_connection_and_no_other(
    raw: StompClient, broker: BrokerProcess, octets: bytes
) -> None:
    """Fault 66: a TLS ClientHello, noise."""
    raw.send_bytes(octets + b"\n\n\0")
    assert_ended(raw)
    broker.client().disconnect()


@pytest.mark.parametrize(
    "request_line", [b"GET / HTTP/1.1", b"POST /queue/a HTTP/1.1", b"OPTIONS * HTTP/1.0", b"CONNECT a:443 HTTP/1.1"]
)
def test_an_http_request_on_the_stomp_port_ends_quickly(raw: StompClient, request_line: bytes) -> None:
    raw.send_bytes(request_line + b"\r\nHost: localhost\r\nUser-Agent: curl\r\n\r\n")
    raw.half_close()
    assert_ended(raw)


def test_an_http_client_that_waits_is_not_kept_waiting(raw: StompClient) -> None:
    """A browser sends no NUL; the command is enough to know."""
    raw.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert [frame["error-code"] for frame in raw.read_to_end()] == ["bad-command"]


def test_a_body_on_connect_is_read_and_ignored(raw: StompClient) -> None:
    raw.send_bytes(b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\nbody\0")
    raw.expect("CONNECTED")


def assert_ended(client: StompClient) -> None:
    """An ERROR may come first; nothing else may."""
    assert {frame.command for frame in client.read_to_end()} <= {"ERROR"}
