"""Mutated conversations against the parser: seeded, so that what is found can be found again.

Hypothesis finds small counter-examples; this one goes for numbers, and for long input with far-apart faults.
"""

from __future__ import annotations

import random

import pytest

from segue.protocols.stomp.events import ACK, ERROR, FRAME, SEND, Event
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser
from tests.unit.protocols.stomp.wire import NOT_CACHED, comparable, connect_frame, frame_of, send

CORPUS = [
    send("content-length:5", "receipt:1", body=b"a\0b\0c"),
    send("content-length:5", "receipt:m-2", "kind:x", body=b"hello"),
    send("kind:a\\cb\\n", body=b"to the NUL"),
    send("content-length:0", "receipt:uuid-3"),
    frame_of("SEND", "destination:/queue/b", "content-length:4", body=b"\r\n\r\n", line_end="\r\n"),
    frame_of("ACK", "id:a-1"),
    frame_of("ACK", "id:a-2", "receipt:4"),
    frame_of("ACK", "receipt:5", "id:a-3"),
    frame_of("NACK", "id:a-4", "transaction:t"),
    frame_of("SUBSCRIBE", "id:0", "destination:/topic/caf\u00e9.#", "ack:client"),
    frame_of("BEGIN", "transaction:t", line_end="\r\n"),
    frame_of("DISCONNECT", "receipt:6"),
    b"\n",
    b"\r\n",
]
TOKENS = [
    *[b"\0", b"\n", b"\r\n", b"\n\n", b"\n\r\n", b"\r", b"\\", b"\\t", b":", b"\xff", b" ", b"-", b"9" * 19],
    *[b"\nreceipt:", b"\ncontent-length:", b"SEND\n", b"ACK\nid:", b"CONNECT\n", b"send\n", b"\ndestination:"],
]


def conversation(source: random.Random) -> bytes:
    """A few frames, with some octets changed, dropped, doubled, moved or put in."""
    data = bytearray(b"".join(source.choices(CORPUS, k=source.randint(1, 30))))
    for _ in range(source.randint(0, 4)):
        start = source.randrange(len(data) + 1)
        stop = min(start + source.randint(0, 8), len(data))
        part = bytes(data[start:stop])
        data[start:stop] = source.choice([b"", source.choice(TOKENS), source.randbytes(3), part * 2, part[::-1]])
    return bytes(data)


def reads_of(data: bytes, source: random.Random) -> list[bytes]:
    reads = []
    while data:
        size = source.choice([1, 2, 3, 17, 100, 1000])
        reads.append(data[:size])
        data = data[size:]
    return reads


def run(reads: list[bytes], version: Version, limits: Limits) -> list[Event]:
    """The events behind the login; nothing else may come out, and nothing behind an error."""
    parser = Parser(limits)
    parser.receive_data(connect_frame(version))
    events = parser.resume(version)
    for read in reads:
        assert not (events and events[-1][0] == ERROR) or parser.receive_data(read) == []
        events += parser.receive_data(read)
        assert parser.bytes_held <= limits.header_block_bytes_max + limits.body_bytes_max
    assert all(event[0] in (SEND, ACK, FRAME) for event in events[:-1])
    return events


def attack(seed: int) -> None:
    source = random.Random(seed)
    version = source.choice(list(Version))
    data = conversation(source)
    whole = run([data], version, Limits())
    assert comparable(whole) == comparable(run([data], version, NOT_CACHED))
    pieces = run(reads_of(data, source), version, Limits())
    assert [event[0] for event in pieces] == [event[0] for event in whole]
    assert [event for event in pieces if event[0] != ERROR] == [event for event in whole if event[0] != ERROR]


def test_mutated_conversations_give_events_or_one_error() -> None:
    for seed in range(2000):
        attack(seed)


@pytest.mark.long
@pytest.mark.parametrize("block", range(1, 11))
def test_many_mutated_conversations_give_events_or_one_error(block: int) -> None:
    for seed in range(block * 40_000, (block + 1) * 40_000):
        attack(seed)


def test_random_octets_give_events_or_one_error() -> None:
    source = random.Random(71)
    for _ in range(2000):
        data = source.randbytes(source.randint(1, 200))
        for version in Version:
            assert comparable(run([data], version, Limits())) == comparable(run([data], version, NOT_CACHED))
