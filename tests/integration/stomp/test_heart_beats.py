"""Heart-beats both ways, with the grace that was measured in the field (stomp.md §1, FAULTS 53, 67).

These tests wait, because silence is what they are about. None of them asks how long something took.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_INTERVAL_MS = 200
_INTERVAL_SECONDS = _INTERVAL_MS / 1000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A daemon that beats as often as it is asked to."""
    broker = BrokerProcess(
        tmp_path_factory.mktemp("broker") / "data", settings={"stomp.heartbeat_min_seconds": _INTERVAL_SECONDS}
    )
    broker.start()
    yield broker
    broker.kill()
    broker.assert_no_traceback()


def negotiated_ms(client: StompClient, asked: str) -> tuple[int, int]:
    """Client to server and server to client, by the rule of the specification; 0 is never."""
    assert client.connected is not None
    cx, cy = map(int, asked.split(","))
    sx, sy = map(int, client.connected["heart-beat"].split(","))
    return (max(cx, sy) if cx and sy else 0), (max(sx, cy) if sx and cy else 0)


@pytest.mark.parametrize("asked", ["0,0", "0,500", "500,0", "500,500", "1,1", f"{10**12},{10**12}", "1000000,0"])
def test_what_is_agreed_on_is_within_the_servers_bounds(connect: Connect, asked: str) -> None:
    """Fault 67."""
    to_server, to_client = negotiated_ms(connect(heart_beat=asked), asked)
    for interval, wanted in zip((to_server, to_client), asked.split(","), strict=True):
        assert (interval == 0) == (wanted == "0")
        assert interval == 0 or interval >= _INTERVAL_MS


@pytest.mark.parametrize(
    "header", ["0", "T,0", "3000,10,50", "", ",", "-1,0", "0,-5", "1.5,0", "1 000,0", "0x10,0", "\uff11,0", "1e3,0"]
)
def test_a_malformed_heart_beat_header_is_an_error(raw: StompClient, header: str) -> None:
    """Fault 67."""
    raw.send_connect(heart_beat=header)
    raw.expect_error()


# Whoever stays -----------------------------------------------------------------------------------------------------

# A second, so that a machine that does other things too has one to give: silence of two is the end.
_STAYS = {
    "who beats with LF": ("1000,0", b"\n"),
    "who beats with CR LF": ("1000,0", b"\r\n"),
    "who sends a frame octet by octet": ("1000,0", b"x"),
    "who asked for no beats": ("0,0", b""),
    "who did not speak of beats": (None, b""),
}


def test_who_beats_and_who_need_not_beat_stays(connect: Connect, queue: str) -> None:
    """Fault 53, the other way round: each for longer than its silence might be."""
    clients = {}
    for name, (asked, _) in _STAYS.items():
        clients[name] = connect() if asked is None else connect(heart_beat=asked)
    clients["who sends a frame octet by octet"].send_bytes(f"SEND\ndestination:{queue}\n\n".encode())
    for _ in range(10):
        for name, (_, octets) in _STAYS.items():
            clients[name].send_bytes(octets)
        time.sleep(0.3)
    clients["who sends a frame octet by octet"].send_bytes(b"\0")
    for client in clients.values():
        client.publish("/topic/nobody", receipt="alive")
        client.expect_receipt("alive")
    for client in clients.values():
        assert client.reader.end_of_lines == 0, "the server beats for nobody who did not ask"
    reader = connect()
    reader.subscribe(queue)
    reader.expect_message(b"x" * 10)


# The server ---------------------------------------------------------------------------------------------------------


def test_a_server_with_nothing_to_say_beats(connect: Connect) -> None:
    """How long its pauses are is tested with a clock that is played, in test_session_deadlines.py."""
    client = connect(heart_beat=f"0,{_INTERVAL_MS}")
    for _ in range(5):
        read_beat(client, client.reader.end_of_lines)


def read_beat(client: StompClient, before: int) -> None:
    while client.reader.end_of_lines == before:
        data = client.socket.recv(1)
        assert data, "the server has closed"
        assert list(client.reader.feed(data)) == []


# Whoever is silent --------------------------------------------------------------------------------------------------


def test_the_messages_of_a_client_that_went_silent_return_to_their_place(connect: Connect, queue: str) -> None:
    """Fault 53."""
    producer = connect()
    for body in (b"1", b"2", b"3"):
        producer.publish_confirmed(queue, body)
    silent = connect(heart_beat=f"{_INTERVAL_MS},0")
    silent.subscribe(queue, headers={"prefetch-count": "2"}, wait=False)
    error = silent.read_to_end()[-1]
    assert (error.command, error["error-code"]) == ("ERROR", "heart-beat-missed")
    other = connect()
    other.subscribe(queue)
    messages = other.expect_messages(b"1", b"2", b"3")
    assert [message["redelivered"] for message in messages] == ["true", "true", "false"]


def test_no_beat_comes_inside_a_message(connect: Connect, queue: str) -> None:
    """The reader is strict: an LF too many inside a frame would break it."""
    client = connect(heart_beat=f"0,{_INTERVAL_MS}")
    body = bytes(4 * 1024 * 1024)
    client.publish_confirmed(queue, body)
    client.subscribe(queue, ack="auto", wait=False)
    time.sleep(_INTERVAL_SECONDS * 3)
    frame = client.receive()
    while frame.command != "MESSAGE":
        frame = client.receive()
    assert frame.body == body
