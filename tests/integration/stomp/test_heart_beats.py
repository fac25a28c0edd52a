"""Heart-beats both ways, with the grace that was measured in the field (stomp.md §1, FAULTS 53, 67).

These tests wait, because silence is what they are about: intervals are as short as the settings allow.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import NothingArrived, StompClient
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


def read_for(client: StompClient, seconds: float) -> None:
    """Read whatever comes, for so long."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            client.receive(left)
        except NothingArrived:
            return


def beat(client: StompClient, seconds: float, octets: bytes = b"\n") -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.send_bytes(octets)
        read_for(client, _INTERVAL_SECONDS / 2)


def wait_for_end(client: StompClient, patience_seconds: float = 10.0) -> float:
    """How long it takes until the server gives this client up; an ERROR may say why."""
    began = time.monotonic()
    assert {frame.command for frame in client.read_to_end(patience_seconds)} <= {"ERROR", "MESSAGE"}
    return time.monotonic() - began


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


def test_a_client_that_asked_for_none_is_never_dropped(connect: Connect) -> None:
    client = connect(heart_beat="0,0")
    read_for(client, _INTERVAL_SECONDS * 8)
    assert client.reader.end_of_lines == 0
    client.publish("/topic/nobody", receipt="alive")
    client.expect_receipt("alive")


def test_a_client_without_the_header_is_never_dropped(connect: Connect) -> None:
    client = connect()
    read_for(client, _INTERVAL_SECONDS * 8)
    client.publish("/topic/nobody", receipt="alive")
    client.expect_receipt("alive")


def test_the_server_never_pauses_for_longer_than_the_interval(connect: Connect) -> None:
    """A timer that only ticks leaves gaps of twice the interval; half of one, and one slip, are for this machine."""
    client = connect(heart_beat=f"0,{_INTERVAL_MS}")
    times = [time.monotonic()]
    while len(times) < 12:
        before = client.reader.end_of_lines
        read_beat(client, before)
        times.append(time.monotonic())
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert sorted(gaps)[-2] <= _INTERVAL_SECONDS * 1.5, gaps


def read_beat(client: StompClient, before: int) -> None:
    while client.reader.end_of_lines == before:
        data = client.socket.recv(1)
        assert list(client.reader.feed(data)) == []


def test_the_server_beats_after_what_it_sent_last(connect: Connect, queue: str) -> None:
    """A receipt in the middle of the interval puts the next beat off."""
    client = connect(heart_beat=f"0,{_INTERVAL_MS}")
    for number in range(8):
        client.publish(queue, receipt=str(number))
        client.expect_receipt(str(number))
        time.sleep(_INTERVAL_SECONDS / 4)
    client.publish_confirmed(queue)
    sent_last = time.monotonic()
    read_beat(client, client.reader.end_of_lines)
    assert time.monotonic() - sent_last <= _INTERVAL_SECONDS * 1.5


def test_a_client_that_goes_silent_is_closed_after_twice_the_interval(connect: Connect) -> None:
    """Fault 53."""
    client = connect(heart_beat=f"{_INTERVAL_MS},0")
    beat(client, _INTERVAL_SECONDS * 4)
    waited = wait_for_end(client)
    assert waited >= _INTERVAL_SECONDS * 1.5


def test_the_messages_of_a_client_that_went_silent_return_to_their_place(connect: Connect, queue: str) -> None:
    """Fault 53."""
    producer = connect()
    for body in (b"1", b"2", b"3"):
        producer.publish_confirmed(queue, body)
    silent = connect(heart_beat=f"{_INTERVAL_MS},0")
    silent.subscribe(queue, headers={"prefetch-count": "2"})
    silent.expect_messages(b"1", b"2")
    wait_for_end(silent)
    other = connect()
    other.subscribe(queue)
    messages = other.expect_messages(b"1", b"2", b"3")
    assert [message["redelivered"] for message in messages] == ["true", "true", "false"]


@pytest.mark.parametrize("octets", [b"\n", b"\r\n"])
def test_a_client_that_beats_stays(connect: Connect, octets: bytes) -> None:
    client = connect(heart_beat=f"{_INTERVAL_MS},0")
    beat(client, _INTERVAL_SECONDS * 8, octets)
    client.publish("/topic/nobody", receipt="alive")
    client.expect_receipt("alive")


def test_the_octets_of_half_a_frame_count_as_beats(connect: Connect, queue: str) -> None:
    client = connect(heart_beat=f"{_INTERVAL_MS},0")
    body = b"slowly does it"
    client.send_bytes(f"SEND\ndestination:{queue}\nreceipt:slow\n\n".encode())
    for octet in body:
        client.send_bytes(bytes([octet]))
        time.sleep(_INTERVAL_SECONDS * 0.7)
    client.send_bytes(b"\0")
    client.expect_receipt("slow")


def test_a_client_that_takes_twice_the_interval_now_and_then_is_not_closed(connect: Connect) -> None:
    """stomp.py #219: clients that beat a little late were dropped by brokers without grace."""
    client = connect(heart_beat=f"{_INTERVAL_MS},0")
    for _ in range(4):
        client.send_bytes(b"\n")
        time.sleep(_INTERVAL_SECONDS * 1.6)
    client.publish("/topic/nobody", receipt="alive")
    client.expect_receipt("alive")


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
