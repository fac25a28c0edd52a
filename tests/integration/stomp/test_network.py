"""Peers that vanish, stall, reset and flood (FAULTS 52, 54, 55, 58, 59)."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_MIB = 1024 * 1024
_TCP_REPAIR = 19
_KEEP_ALIVE_TIMER = 2


# Half-open connections --------------------------------------------------------------------------------------------


def test_an_idle_connection_is_probed_by_the_kernel(connect: Connect) -> None:
    """Fault 52: a keep-alive timer runs on the broker's end, and goes off within a minute."""
    kind, seconds = timer_of_peer(connect())
    assert kind == _KEEP_ALIVE_TIMER
    assert seconds <= 60.0


def timer_of_peer(client: StompClient) -> tuple[int, float]:
    """Kind and rest of the timer on the other end of a loopback connection, from /proc/net/tcp."""
    mine, peer = client.socket.getsockname()[1], client.socket.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in fields[1:3]]
        if ports == [peer, mine]:
            kind, when = fields[5].split(":")
            return int(kind, 16), int(when, 16) / 100
    raise AssertionError("the connection is not in /proc/net/tcp")


@pytest.mark.long
@pytest.mark.parametrize("found_by", ["heart-beat", "keep-alive"])
def test_the_messages_of_a_peer_that_vanished_return(broker_factory: BrokerFactory, found_by: str) -> None:
    """Fault 52: the peer's kernel forgets the connection, and no packet says so. Needs CAP_NET_ADMIN."""
    broker = broker_factory()
    broker.client().publish_confirmed("/queue/a", b"1")
    gone = broker.raw_client()
    gone.connect(heart_beat="1000,0" if found_by == "heart-beat" else "0,0")
    gone.subscribe("/queue/a")
    gone.expect_message(b"1")
    began = time.monotonic()
    vanish(gone)
    other = broker.raw_client(patience_seconds=70.0)
    other.connect()
    other.subscribe("/queue/a")
    other.expect_message(b"1", redelivered="true")
    assert time.monotonic() - began <= (5.0 if found_by == "heart-beat" else 62.0)


def vanish(client: StompClient) -> None:
    """Close without FIN or RST."""
    try:
        client.socket.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    except PermissionError:
        pytest.fail("this test cuts a connection without a packet: it needs root or CAP_NET_ADMIN")
    client.socket.close()


# Peers that do not read -------------------------------------------------------------------------------------------


def test_a_consumer_that_never_reads_is_closed_and_its_messages_return(broker_factory: BrokerFactory) -> None:
    """Fault 54: it goes on beating its heart, which proves nothing."""
    broker = broker_factory(settings={"limits.write_stall_seconds": 2})
    fill(broker, "/queue/a", count=200, body=bytes(50_000))
    before = broker.resident_bytes()
    deaf = broker.raw_client(receive_buffer_bytes=4096)
    deaf.connect(heart_beat="1000,1000")
    deaf.subscribe("/queue/a", wait=False)
    send_beats_until_closed(deaf, within_seconds=60.0)
    assert broker.resident_bytes() - before < 16 * _MIB
    other = broker.client()
    other.subscribe("/queue/a", headers={"prefetch-count": "200"})
    flags = [other.expect_message()["redelivered"] for _ in range(200)]
    assert flags == sorted(flags, reverse=True)
    assert flags[0] == "true"


def fill(broker: BrokerProcess, queue: str, count: int, body: bytes) -> None:
    client = broker.client()
    for _ in range(count):
        client.publish(queue, body)
    client.disconnect()


def send_beats_until_closed(client: StompClient, within_seconds: float) -> None:
    deadline = time.monotonic() + within_seconds
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < deadline:
            client.send_bytes(b"\n")
            time.sleep(0.2)
        pytest.fail("a peer that never reads was not closed")


def test_a_consumer_that_reads_slowly_is_not_closed(broker_factory: BrokerFactory) -> None:
    """Fault 54: the stall is measured from the last octet that it took."""
    broker = broker_factory(settings={"limits.write_stall_seconds": 2})
    fill(broker, "/queue/a", count=10, body=bytes(50_000))
    slow = broker.raw_client(receive_buffer_bytes=4096)
    slow.connect()
    slow.subscribe("/queue/a", wait=False)
    received = 0
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        received += sum(1 for frame in slow.reader.feed(slow.socket.recv(20_000)) if frame.command == "MESSAGE")
        time.sleep(0.2)
    slow.publish("/queue/b", receipt="alive")
    while received < 10:
        received += slow.receive().command == "MESSAGE"
    slow.expect_receipt("alive")


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.long)])
def test_many_consumers_that_do_not_read_cost_little_and_are_closed(broker_factory: BrokerFactory, count: int) -> None:
    """Fault 55: zero windows; at most 1 MiB each, and a cap on all of them together.

    Each is owed 6 MB: what the kernel's buffers take is not the broker's to see.
    """
    broker = broker_factory(settings={"limits.write_stall_seconds": 2, "log.level": "error"})
    for number in range(count):
        fill(broker, f"/queue/{number}", count=60, body=bytes(100_000))
    before = broker.resident_bytes()
    deaf = [broker.raw_client(receive_buffer_bytes=4096) for _ in range(count)]
    for number, client in enumerate(deaf):
        client.connect()
        client.subscribe(f"/queue/{number}", wait=False)
    broker.client().publish_confirmed("/queue/other", b"others go on")
    assert broker.resident_bytes() - before < min(count * 2, 256) * _MIB
    for client in deaf:
        send_beats_until_closed(client, within_seconds=60.0)
    other = broker.client()
    other.subscribe("/queue/0")
    other.expect_message(redelivered="true")


# Resets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"SEND\ndest",
        b"SEND\ndestination:/queue/reset\ncontent-length:1000\n\nhalf",
        b"BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/reset\ntransaction:t\n\nx\0COMMIT\ntransaction:t\n",
        b"SUBSCRIBE\nid:1\ndestination:/queue/reset\nack:client\nreceipt:r\n\n\0",
        b"DISCONNECT\nreceipt:r\n\n\0",
    ],
    ids=["nothing", "half a head", "half a body", "half a commit", "before the receipt", "before the good-bye"],
)
def test_a_reset_at_any_point_is_no_event_for_the_others(
    broker: BrokerProcess, connect: Connect, queue: str, octets: bytes
) -> None:
    """Fault 59: the module's daemon is searched for stack traces at its end."""
    other = connect()
    other.subscribe("/queue/reset", ack="auto")
    for logged_in in (True, False):
        client = broker.client() if logged_in else broker.raw_client()
        client.send_bytes(octets)
        client.reset()
    other.publish(queue, receipt="alive")
    other.expect_receipt("alive")
    other.expect_no_message()


def test_a_reset_amid_the_octets_that_the_broker_sends(broker: BrokerProcess, connect: Connect, queue: str) -> None:
    """Fault 59."""
    fill(broker, queue, count=100, body=bytes(50_000))
    for _ in range(5):
        client = broker.client()
        client.subscribe(queue, wait=False)
        client.receive()
        client.reset()
    other = connect()
    other.subscribe(queue)
    other.expect_message(redelivered="true")


def test_a_reset_during_the_login_is_no_event(broker: BrokerProcess, connect: Connect) -> None:
    """Fault 59: found by noise, it once took the whole daemon down."""
    for _ in range(200):
        client = broker.raw_client()
        client.send_connect(login="guest", passcode="wrong")
        client.reset()
    connect().disconnect()


# Storms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_a_storm_of_connects_and_closes_leaves_nothing_behind(broker_factory: BrokerFactory, seconds: int) -> None:
    """Fault 58: as fast as one process can."""
    broker = broker_factory()
    client = broker.client()
    # The allocator takes some MiB until it has seen the storm at its worst, and no more from then on.
    storm(broker, until=time.monotonic() + seconds / 3)
    client.publish_confirmed("/queue/a", b"settle")
    memory, descriptors = broker.resident_bytes(), broker.open_descriptors()
    count = storm(broker, until=time.monotonic() + seconds)
    client.publish_confirmed("/queue/a", b"alive")
    broker.client().disconnect()
    print(f"{count} connections in {seconds} s")
    assert broker.open_descriptors() <= descriptors + 5
    assert broker.resident_bytes() - memory < 4 * _MIB


def storm(broker: BrokerProcess, until: float) -> int:
    count = 0
    address = broker.address
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=5.0).close()
            count += 1
    return count
