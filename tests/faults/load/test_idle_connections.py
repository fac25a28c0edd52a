"""L5: ten thousand connections that only beat their hearts."""

from __future__ import annotations

import resource
import selectors
import socket
import time

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import Address

__all__: list[str] = []

_COUNT = 10_000
_BEAT_SECONDS = 10.0
_MEASURE_SECONDS = 60.0
_MIB = 1024 * 1024
_CONNECT = b"CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:10000,10000\n\n\0"


def test_ten_thousand_idle_connections_are_cheap_and_one_more_is_refused(broker_factory: BrokerFactory) -> None:
    """L5: at most a quarter of a core and 400 MiB; the next one is told so, and the listener lives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= _COUNT + 500, "this test needs 10,500 descriptors: raise the hard limit"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        measure(broker_factory)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def measure(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"limits.connections_max": _COUNT}, descriptors_max=_COUNT + 500)
    base = broker.resident_bytes()
    sockets = open_connections(broker.address)
    memory = broker.resident_bytes()
    began, cpu = time.monotonic(), broker.cpu_seconds()
    beat(sockets, seconds=_MEASURE_SECONDS)
    share = (broker.cpu_seconds() - cpu) / (time.monotonic() - began)
    print(f"RSS {memory // _MIB} MiB, {(memory - base) / _COUNT / 1024:.1f} KiB each, {share:.1%} of a core")
    assert {frame.command for frame in broker.raw_client().read_to_end()} == {"ERROR"}
    sockets.pop().close()
    time.sleep(1.0)
    broker.client().publish_confirmed("/queue/a", b"alive")
    for sock in sockets:
        sock.close()
    assert share <= 0.25
    assert memory <= 400 * _MIB


def open_connections(address: Address) -> list[socket.socket]:
    """Open them all. On a busy machine that takes longer than one may be silent: those that are open beat meanwhile."""
    sockets: list[socket.socket] = []
    beaten = time.monotonic()
    while len(sockets) < _COUNT:
        sockets.append(open_connection(address))
        if time.monotonic() - beaten > _BEAT_SECONDS / 3:
            beaten = time.monotonic()
            for sock in sockets:
                sock.sendall(b"\n")
    return sockets


def open_connection(address: Address) -> socket.socket:
    sock = socket.create_connection(address, timeout=20.0)
    sock.sendall(_CONNECT)
    assert sock.recv(4096).startswith(b"CONNECTED")
    return sock


def beat(sockets: list[socket.socket], seconds: float) -> None:
    """Beat for every connection, spread over the interval, and read what the broker beats; nobody may be closed."""
    with selectors.DefaultSelector() as selector:
        for sock in sockets:
            selector.register(sock, selectors.EVENT_READ)
        until = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < until:
            for sock in sockets[turn::100]:
                sock.sendall(b"\n")
            turn = (turn + 1) % 100
            pause_until = time.monotonic() + _BEAT_SECONDS / 100 * 0.8
            while (left := pause_until - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    assert isinstance(key.fileobj, socket.socket)
                    assert key.fileobj.recv(4096), "an idle connection was closed"
