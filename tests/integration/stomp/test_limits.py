"""Where it ends: sizes of frames, numbers of connections and descriptors, time to log in (FAULTS 50, 56, 57, 63)."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import ConnectionEnded, StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_MIB = 1024 * 1024

_ENDLESS = {
    "a header line": (b"SEND\ndestination:/queue/a\nfoo:", b"x" * 4096),
    "a header name": (b"SEND\n", b"x" * 4096),
    "headers": (b"SEND\n", b"foo:bar\n" * 512),
    "a command": (b"", b"S" * 4096),
    "a body that no frame but SEND has": (b"ACK\nid:1\n\n", b"x" * 4096),
}


@pytest.mark.parametrize("kind", _ENDLESS)
@pytest.mark.parametrize("logged_in", [True, False])
def test_what_never_ends_is_refused_at_its_limit(
    broker: BrokerProcess, connect: Connect, raw: StompClient, kind: str, logged_in: bool
) -> None:
    """Fault 63: no LF, no NUL, header after header; nobody keeps more of it than the limit."""
    client = connect() if logged_in else raw
    before = broker.resident_bytes()
    head, endless = _ENDLESS[kind]
    error = send_until_refused(client, head, endless, octets_max=32 * _MIB)
    assert error is None or error["message"]
    assert broker.resident_bytes() - before < 4 * _MIB


def send_until_refused(client: StompClient, head: bytes, endless: bytes, octets_max: int) -> Frame | None:
    """Send and send, until the broker answers or closes; return its ERROR, None when the octets in flight ate it."""
    sent = 0
    with contextlib.suppress(ConnectionError):
        client.send_bytes(head)
        while sent < octets_max:
            client.send_bytes(endless)
            sent += len(endless)
            if error := arrived(client):
                return error
    assert sent < octets_max, "the broker takes everything"
    frames = client.read_to_end()
    return frames[0] if frames else None


def arrived(client: StompClient) -> Frame | None:
    client.socket.settimeout(0.0)
    try:
        frames = list(client.reader.feed(client.socket.recv(65536)))
    except BlockingIOError:
        return None
    return frames[0] if frames else None


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({f"h{number}": "x" for number in range(990)}, False),
        ({f"h{number}": "x" for number in range(1000)}, True),
        ({f"h{number}": "x" for number in range(10_000)}, True),
        ({"h": "x" * (16 * 1024 - 10)}, False),
        ({"h": "x" * (16 * 1024)}, True),
        ({"h": "x" * _MIB}, True),
        ({f"h{number}": "x" * 10_000 for number in range(6)}, False),
        ({f"h{number}": "x" * 10_000 for number in range(7)}, True),
    ],
    ids=["990", "1000", "10000", "line fits", "line too long", "line of a MiB", "block fits", "block too large"],
)
def test_headers_are_taken_up_to_their_limits(
    connect: Connect, queue: str, headers: dict[str, str], refused: bool
) -> None:
    """Fault 63."""
    client = connect()
    client.publish(queue, headers=headers, receipt="r")
    if refused:
        client.expect_error("too large")
    else:
        client.expect_receipt("r")


def test_a_frame_before_login_is_smaller(raw: StompClient) -> None:
    """Fault 63; rabbitmq-server #2567: no limits before login."""
    raw.send_frame("CONNECT", {"accept-version": "1.2", "host": "/", **{f"h{n}": "x" * 1000 for n in range(20)}})
    raw.expect_error("too large")


# Connections ------------------------------------------------------------------------------------------------------


def test_the_connection_over_the_limit_is_told_so_and_the_listener_goes_on(broker_factory: BrokerFactory) -> None:
    """Fault 50."""
    broker = broker_factory(settings={"limits.connections_max": 20})
    clients = [broker.client() for _ in range(20)]
    refused = broker.raw_client()
    assert {frame.command for frame in refused.read_to_end()} == {"ERROR"}
    clients.pop().disconnect()
    client = connect_at_last(broker)
    client.publish_confirmed("/queue/a", b"1")
    clients[0].publish_confirmed("/queue/a", b"2")


def connect_at_last(broker: BrokerProcess, source: str | None = None, within_seconds: float = 60.0) -> StompClient:
    """Log in as a client does that is refused and tries again."""
    deadline = time.monotonic() + within_seconds
    while True:
        client = broker.raw_client(source=source)
        try:
            client.connect()
        except (ConnectionEnded, ConnectionError, AssertionError):
            client.close()
            assert time.monotonic() < deadline, "a real client is locked out"
            time.sleep(0.1)
        else:
            return client


def test_without_descriptors_the_listener_waits_and_the_store_goes_on(broker_factory: BrokerFactory) -> None:
    """Fault 50: EMFILE."""
    broker = broker_factory(
        descriptors_max=160, settings={"storage.checkpoint_interval_seconds": 1, "limits.login_seconds": 60}
    )
    client = broker.client()
    crowd = [broker.raw_client() for _ in range(250)]
    for number in range(30):
        client.publish_confirmed("/queue/a", b"%d" % number * 100_000)
        time.sleep(0.1)
    for other in crowd:
        other.close()
    assert broker.is_running, broker.log
    late = connect_at_last(broker)
    late.subscribe("/queue/a", ack="auto")
    for number in range(30):
        late.expect_message(b"%d" % number * 100_000)


def test_peers_that_never_log_in_are_capped_and_real_clients_still_connect(broker_factory: BrokerFactory) -> None:
    """Fault 57: 5,000 of them, from many addresses."""
    broker = broker_factory(
        settings={
            "limits.connections_unauthenticated_max": 200,
            "limits.connections_unauthenticated_per_address_max": 50,
            "limits.login_seconds": 10,
        }
    )
    old = broker.client()
    descriptors = broker.open_descriptors()
    for number in range(5000):
        with contextlib.suppress(OSError):
            broker.raw_client(source=f"127.0.1.{number % 200 + 1}")
    old.publish_confirmed("/queue/a", b"still here")
    # Some more are files of the store.
    assert broker.open_descriptors() <= descriptors + 200 + 20
    connect_at_last(broker, source="127.0.2.1").publish_confirmed("/queue/a", b"in")


def test_one_address_cannot_lock_out_another(broker_factory: BrokerFactory) -> None:
    """Fault 57: the limit per address is met before the one for all."""
    broker = broker_factory(
        settings={"limits.connections_unauthenticated_per_address_max": 20, "limits.login_seconds": 60}
    )
    for _ in range(100):
        with contextlib.suppress(OSError):
            broker.raw_client(source="127.0.1.1")
    broker.raw_client(source="127.0.1.2").connect()


# Time to log in ---------------------------------------------------------------------------------------------------


_TRICKLES = {
    "silent": b"",
    "who begins a CONNECT": b"CONNECT\naccept-version:1.2\nhost:" + b"x" * 1000,
    "who sends one octet": b"C",
    "who sends line feeds": b"\n" * 1000,
}


def test_peers_that_do_not_log_in_are_closed_at_the_deadline_and_no_others(broker_factory: BrokerFactory) -> None:
    """Fault 56: silent, or an octet now and then for ever."""
    broker = broker_factory(settings={"limits.login_seconds": 4})
    client = broker.client()
    strangers = {name: broker.raw_client() for name in _TRICKLES}
    for number in range(200):
        for name, stranger in list(strangers.items()):
            if has_ended(stranger, _TRICKLES[name][number : number + 1]):
                del strangers[name]
        if not strangers:
            break
    assert not strangers, "these may take for ever"
    client.publish_confirmed("/queue/a", b"logged in, it has all the time in the world")


def has_ended(client: StompClient, octet: bytes) -> bool:
    """Send the next octet, and listen for a moment: whether the broker has closed, perhaps with an ERROR."""
    client.socket.settimeout(0.1)
    try:
        client.socket.sendall(octet)
        data = client.socket.recv(65536)
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    frames = [*client.reader.feed(data), *(client.read_to_end() if data else ())]
    assert {frame.command for frame in frames} <= {"ERROR"}
    return True
