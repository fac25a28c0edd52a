"""STOMP over WebSocket from outside: the handshake, who may connect, messages in any pieces, and the end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator

import pytest
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from tests.helpers.broker_process import BrokerFactory, BrokerProcess, queue_name
from tests.helpers.http_client import request
from tests.helpers.stomp_frames import encode_frame
from tests.helpers.websocket_client import Refused, WebSocketClient
from tests.integration.http.conftest import Connect

__all__ = ["queue_name"]

Open = Callable[..., WebSocketClient]
CONNECT = encode_frame("CONNECT", {"accept-version": "1.2", "login": "guest", "passcode": "guest"}.items())
HANDSHAKE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
MASK = b"\1\2\3\4"


@pytest.fixture
def open_socket(broker: BrokerProcess) -> Iterator[Open]:
    """Open WebSockets; they end with the test."""
    clients: list[WebSocketClient] = []

    def open_socket(*arguments: object, **options: object) -> WebSocketClient:
        connected = socket.create_connection(broker.http_address, timeout=60)
        try:
            clients.append(WebSocketClient(connected, *arguments, **options))  # type: ignore[arg-type]
        except BaseException:
            connected.close()
            raise
        return clients[-1]

    yield open_socket
    for client in clients:
        client.close()


def send(queue: str, body: bytes, receipt: str) -> bytes:
    headers = {"destination": f"/queue/{queue}", "receipt": receipt, "content-length": str(len(body))}
    return encode_frame("SEND", headers.items(), body)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ((), None),
        (("v10.stomp",), "v10.stomp"),
        (("v10.stomp", "v11.stomp"), "v11.stomp"),
        (("v12.stomp", "v11.stomp"), "v12.stomp"),
        (("mqtt",), None),
    ],
)
@pytest.mark.parametrize("path", ["/ws", "/stomp"])
def test_the_best_subprotocol_of_those_offered_is_spoken(
    open_socket: Open, path: str, offered: tuple[str, ...], chosen: str | None
) -> None:
    client = open_socket(path, subprotocols=offered)
    assert client.accepted is not None
    assert (client.accepted.subprotocol, client.accepted.extensions) == (chosen, [])
    assert client.connect()["version"] == "1.2"


def test_what_is_sent_is_stored_and_comes_back(open_socket: Open, queue_name: str) -> None:
    client = open_socket()
    client.connect()
    for body in ("größer".encode(), bytes(range(256))):
        client.send(send(queue_name, body, "1"))
        assert client.frame("RECEIPT")["receipt-id"] == "1"
    client.send_frame("SUBSCRIBE", {"destination": f"/queue/{queue_name}", "id": "1"})
    text, binary = client.message(), client.message()
    assert isinstance(text, str)
    assert isinstance(binary, bytes)
    assert text.endswith("\n\ngrößer\0")
    assert binary.endswith(b"\n\n" + bytes(range(256)) + b"\0")


def test_each_frame_is_a_message_and_so_is_each_receipt(open_socket: Open, queue_name: str) -> None:
    client = open_socket()
    client.connect()
    client.send(b"".join([send(queue_name, b"x", f"r-{number}") for number in range(3)]))
    messages = [client.message() for _ in range(3)]
    assert messages == [f"RECEIPT\nreceipt-id:r-{number}\n\n\0" for number in range(3)]


@pytest.mark.parametrize("body", ["größer".encode() * (2 << 20), b"\xfe" * (16 << 20)])
def test_the_largest_body_passes(open_socket: Open, queue_name: str, body: bytes) -> None:
    client = open_socket()
    client.connect()
    client.send(send(queue_name, body, "1"))
    client.frame("RECEIPT")
    client.send_frame("SUBSCRIBE", {"destination": f"/queue/{queue_name}", "id": "1"})
    assert client.frame("MESSAGE").body == body


def test_what_is_sent_with_the_handshake_is_not_lost(open_socket: Open) -> None:
    behind = bytes((0x81, 0x80 | len(CONNECT))) + bytes(4) + CONNECT
    assert open_socket(behind=behind).frame()["version"] == "1.2"


def test_a_request_behind_others_is_handed_over_after_them(connect: Connect) -> None:
    client = connect()
    client.send(request("/version") + request("/ws", *HANDSHAKE, KEY) + request("/version"))
    assert client.answer().status == 200
    answer = client.answer()
    assert (answer.status, answer.headers["sec-websocket-accept"]) == (101, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    # What stands behind the handshake is read as a frame, and is none.
    assert client.rest()[2:4] == (1002).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), 426),
        (("Upgrade: h2c", "Connection: upgrade"), 426),
        (("Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY), 426),
        (("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 8", KEY), 426),
        (HANDSHAKE, 400),
        ((*HANDSHAKE, "Sec-WebSocket-Key: c2hvcnQ="), 400),
    ],
)
def test_what_is_no_handshake_is_refused_and_the_connection_stays(
    connect: Connect, lines: tuple[str, ...], status: int
) -> None:
    client = connect()
    assert client.ask(request("/ws", *lines)).status == status
    assert client.ask(request("/version")).status == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost", 101),
        ("http://localhost:3000", 101),
        ("https://127.0.0.1:8443", 101),
        ("http://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
def test_pages_of_others_may_not_connect(connect: Connect, origin: str | None, status: int) -> None:
    """Fault 85."""
    lines = [] if origin is None else [f"Origin: {origin}"]
    client = connect()
    assert client.ask(request("/ws", *HANDSHAKE, KEY, *lines)).status == status
    assert connect().ask(request("/version")).status == 200


def test_a_page_may_not_lead_its_own_name_here(open_socket: Open) -> None:
    """Fault 85."""
    with pytest.raises(Refused, match="403"):
        open_socket(host="evil.example", origin="http://evil.example")


def test_pages_that_are_listed_may_connect(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"http.allowed_origins": "https://shop.example"})
    lines = (*HANDSHAKE, KEY, "Origin: https://shop.example")
    assert broker.http_client().ask(request("/ws", *lines)).status == 101
    assert broker.http_client().ask(request("/ws", *lines[:-1], "Origin: https://other.example")).status == 403
    broker.wait_for_log(r"request\.refused .*code=foreign-origin")


def test_compression_is_not_negotiated(connect: Connect) -> None:
    """Fault 84."""
    client = connect()
    extension = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    answer = client.ask(request("/ws", *HANDSHAKE, KEY, extension))
    assert (answer.status, answer.headers["sec-websocket-extensions"]) == (101, None)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\xc2\x81" + MASK + b"x", 1002),  # compressed
        (b"\x92\x81" + MASK + b"x", 1002),
        (b"\x82\x01x", 1002),  # not masked
        (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + MASK, 1009),
        (b"\x82\xff" + (1 << 25).to_bytes(8, "big") + MASK, 1009),
        (b"\x82\xfe\x00\x01" + MASK + b"x", 1002),  # a length that could be shorter
        (b"\x83\x81" + MASK + b"x", 1002),  # no such opcode
        (b"\x80\x81" + MASK + b"x", 1002),  # goes on with nothing
        (b"\x02\x81" + MASK + b"x\x82\x81" + MASK + b"x", 1002),  # another message within one
        (b"\x09\x80" + MASK, 1002),  # half a ping
        (b"\x89\xfe\x00\x7e" + MASK, 1002),  # a long ping
        (b"\x88\x81" + MASK + b"x", 1002),  # half a code
        (b"\x88\x82" + bytes(4) + (1005).to_bytes(2, "big"), 1002),  # a code that is never sent
        (b"\x81\x82" + bytes(4) + b"\xc3\x28", 1007),
        (b"\x01\x82" + bytes(4) + b"\xed\xa0\x00\x81" + bytes(4) + b"x", 1007),
    ],
)
def test_hostile_frames_get_the_code_that_says_why(open_socket: Open, octets: bytes, code: int) -> None:
    """Fault 84."""
    client, other = open_socket(), open_socket()
    client.connect()
    client.write(octets)
    assert client.expect_close() == code
    assert other.connect()["version"] == "1.2"


def test_whoever_breaks_the_rules_is_one_line_in_the_log(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    with socket.create_connection(broker.http_address, timeout=60) as connected:
        client = WebSocketClient(connected, behind=b"\x82\x01x")
        assert client.expect_close() == 1002
    broker.wait_for_log(r"connection\.refused protocol=websocket peer=\S+ code=1002 reason=")


def test_a_flood_of_pings_is_ended(open_socket: Open) -> None:
    """Fault 84."""
    client = open_socket()
    client.connect()
    client.write(b"".join([client.wsproto.send(Ping(b"x" * 100)) for _ in range(1000)]))
    assert client.expect_close() == 1008
    assert len(client.pongs) <= 1


def test_a_ping_is_answered(open_socket: Open) -> None:
    client = open_socket()
    client.say(Ping(b"before login"))
    while not client.pongs:
        client.receive()
    assert client.pongs == [b"before login"]


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_message_in_very_many_fragments_is_read_and_does_not_grow_the_broker(
    open_socket: Open, broker: BrokerProcess, queue_name: str, count: int
) -> None:
    """Fault 84."""
    client = open_socket()
    client.connect()
    before = broker.resident_bytes()
    frame = send(queue_name, b"x" * count, "1")
    first, rest = frame[:-count], frame[-count:]
    client.say(BytesMessage(first, message_finished=False))
    fragment = b"\x00\x81" + bytes(4)
    for start in range(0, count, 10_000):
        client.write(b"".join([fragment + bytes((octet,)) for octet in rest[start : start + 10_000]]))
    assert open_socket().connect()["version"] == "1.2"  # others have their turns
    client.write(b"\x80\x80" + bytes(4))
    assert client.frame("RECEIPT")["receipt-id"] == "1"
    assert broker.resident_bytes() < before + (16 << 20)


def test_the_client_says_good_bye_and_is_answered(open_socket: Open) -> None:
    client = open_socket()
    client.connect()
    client.say(CloseConnection(code=1000, reason="done"))
    assert client.expect_close() == 1000


def test_receipts_come_before_the_answer_to_a_close(open_socket: Open, queue_name: str) -> None:
    client = open_socket()
    client.connect()
    client.send(*[send(queue_name, b"x", str(number)) for number in range(50)])
    client.say(CloseConnection(code=1001))
    assert client.expect_close() == 1001
    assert len(client.messages) == 50


def test_who_closes_his_side_of_the_connection_gets_his_receipt(open_socket: Open, queue_name: str) -> None:
    """Fault 60."""
    client = open_socket()
    client.connect()
    client.send(send(queue_name, b"x", "1"))
    client.socket.shutdown(socket.SHUT_WR)
    assert client.frame("RECEIPT")["receipt-id"] == "1"
    assert client.expect_close() == 1000


def test_disconnect_and_errors_of_stomp_end_in_a_close(open_socket: Open) -> None:
    client = open_socket()
    client.connect()
    client.send_frame("DISCONNECT", {"receipt": "1"})
    assert client.frame("RECEIPT")["receipt-id"] == "1"
    assert client.expect_close() == 1000
    client = open_socket()
    client.send_frame("CONNECT", {"accept-version": "1.2", "login": "guest", "passcode": "wrong"})
    assert client.frame("ERROR")["error-code"] == "bad-connect"
    assert client.expect_close() == 1000


def test_who_does_not_log_in_in_time_is_told_so(broker_factory: BrokerFactory) -> None:
    """Fault 56."""
    broker = broker_factory(settings={"limits.login_seconds": 1})
    with socket.create_connection(broker.http_address, timeout=60) as connected:
        client = WebSocketClient(connected)
        client.send("CONNECT\n")
        assert client.frame("ERROR")["error-code"] == "timed-out"
        assert client.expect_close() == 1000


def test_a_text_frame_of_stomp_in_pieces_of_text_is_one_frame(open_socket: Open) -> None:
    client = open_socket()
    for character in CONNECT.decode():
        client.say(TextMessage(character))
    assert client.frame()["version"] == "1.2"


def test_a_stop_says_that_the_broker_goes_away(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    with socket.create_connection(broker.http_address, timeout=60) as connected:
        client = WebSocketClient(connected)
        client.connect()
        broker.signal(signal.SIGTERM)
        assert client.frame("ERROR")["error-code"] == "shutting-down"
        assert client.expect_close() == 1001
    assert broker.wait() == 0


def test_who_is_silent_is_asked_and_closed_when_he_does_not_answer(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"http.websocket_ping_seconds": 1})
    with socket.create_connection(broker.http_address, timeout=60) as connected:
        client = WebSocketClient(connected)
        client.connect()
        client.expect_ping()
        client.answers_pings = False
        client.expect_ping()
        with pytest.raises(ConnectionError):
            client.receive()
