"""Noise on the wire (FAULTS 71): mutated sessions against the running daemon, which must neither fall nor grow."""

from __future__ import annotations

import contextlib
import random

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_MIB = 1024 * 1024
_SETTINGS = {
    "log.level": "error",
    # Without a limit, names that noise has made up are queues for good: a hundred of them a minute.
    "limits.queues_max": 30,
    # So checkpoints, segments and pages of the catalog take what memory they need in the first minutes.
    "storage.checkpoint_interval_seconds": 5,
    "storage.segment_bytes_min": 64 * 1024,
}
_LOGIN = b"CONNECT\naccept-version:1.0,1.1,1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\0"
_CORPUS = [
    b"SEND\ndestination:/queue/noise\ncontent-length:5\nreceipt:1\n\nhello\0",
    b"SUBSCRIBE\nid:0\ndestination:/queue/noise\nack:client\nprefetch-count:10\n\n\0",
    b"SUBSCRIBE\nid:1\ndestination:/topic/noise.*\nack:auto\ndurable:true\n\n\0",
    b"BEGIN\ntransaction:t\n\n\0",
    b"SEND\ndestination:/topic/noise.a\ntransaction:t\nx-a\\c:b\\n\\\\\n\nbody\0",
    b"COMMIT\ntransaction:t\nreceipt:2\n\n\0",
    b"ABORT\ntransaction:t\n\n\0",
    b"ACK\nid:1-1\n\n\0",
    b"NACK\nid:1-1\nrequeue:false\n\n\0",
    b"UNSUBSCRIBE\nid:0\n\n\0",
    b"SEND\ndestination:/queue/noise\nreply-to:/temp-queue/r\npersistent:false\n\n\0",
    b"DISCONNECT\nreceipt:bye\n\n\0",
    b"\r\n\n\0\n",
]
_WORDS = [
    b"\0",
    b"\n",
    b"\r\n",
    b":",
    b"\\",
    b"\xff",
    b"content-length:-1\n",
    b"content-length:99999999\n",
    b"\x00\x00",
]


def session(chance: random.Random) -> bytes:
    """Some frames in any order, with a few octets removed, repeated, replaced or put in."""
    octets = bytearray(b"".join(chance.choices(_CORPUS, k=chance.randint(1, 12))))
    if chance.random() < 0.8:
        octets[:0] = _LOGIN
    for _ in range(chance.choice([0, 1, 1, 2, 5, 20])):
        at = chance.randrange(len(octets) + 1)
        mutate(chance, octets, at)
    return bytes(octets)


def mutate(chance: random.Random, octets: bytearray, at: int) -> None:
    match chance.randrange(4):
        case 0:
            del octets[at : at + chance.choice([1, 1, 4, 30])]
        case 1:
            octets[at:at] = octets[at : at + chance.randrange(40)]
        case 2:
            octets[at:at] = chance.choice(_WORDS)
        case _:
            octets[at : at + 1] = chance.randbytes(1)


def make_noise(broker: BrokerProcess, chance: random.Random) -> None:
    client = broker.raw_client()
    with contextlib.suppress(ConnectionError):
        client.send_bytes(session(chance))
        if chance.random() < 0.5:
            client.half_close()
            while client.socket.recv(65536):
                continue
    client.close()


@pytest.mark.parametrize("sessions", [1000, pytest.param(130_000, marks=pytest.mark.long, id="ten minutes")])
def test_noise_neither_fells_the_daemon_nor_makes_it_grow(broker_factory: BrokerFactory, sessions: int) -> None:
    """Fault 71. What leaks grows with the work, so sessions are counted, and not seconds."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    broker = broker_factory(settings=_SETTINGS)
    broker.client().publish_confirmed("/queue/quiet", b"alive")
    resident = [broker.resident_bytes()]
    for _ in range(3):
        for _ in range(sessions):
            make_noise(broker, chance)
        resident.append(broker.resident_bytes())
    print("resident MiB:", *(round(part / _MIB, 1) for part in resident))
    client = broker.client()
    client.subscribe("/queue/quiet")
    client.expect_message(b"alive")
    # With the first third come the queues, and the caches and the allocator get what they need. What is allowed then is
    # 24 octets for each of the many sessions: no object that one of them could leave behind is smaller.
    assert resident[3] - resident[1] < 6 * _MIB
