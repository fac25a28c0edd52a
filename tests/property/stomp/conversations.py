"""Strategies: what clients say, right and wrong, and how it is cut into reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from segue.protocols.stomp.frames import Version
from tests.helpers.stomp_frames import encode_frame

__all__ = [
    "Said",
    "conversations",
    "cut",
    "headers_of",
    "mutations",
    "producers",
    "turning_producers",
    "varying_producers",
    "versions",
]

versions = st.sampled_from(Version)
commands = st.sampled_from(
    ["SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"]
)
# Names that mean something to the parser.
names = st.sampled_from(["destination", "receipt", "id", "transaction", "message-id", "ack", "kind"])
bodies = st.one_of(
    st.binary(max_size=40), st.lists(st.sampled_from([b"\0", b"\n", b"\r\n", b"SEND\n", b"x"])).map(b"".join)
)


@dataclass(frozen=True)
class Said:
    """A frame, what it is on the wire, and what stands behind it."""

    command: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wire: bytes


def text_of(beyond: str, **bounds: int) -> st.SearchStrategy[str]:
    """Text without what a version can't say, and with much of what has to be escaped."""
    special = "".join(character for character in "\\:\r\n cnr" if character not in beyond)
    others = st.characters(exclude_categories=["Cs"], exclude_characters=beyond + "\0")
    return st.text(st.one_of(st.sampled_from(special), others), max_size=12, **bounds)


NOTHING_TO_SAY = {Version.V1_0: "\n\r", Version.V1_1: "\r", Version.V1_2: ""}
VALUES = {version: text_of(beyond) for version, beyond in NOTHING_TO_SAY.items()}
NAMES = {version: st.one_of(names, text_of(beyond, min_size=1)) for version, beyond in NOTHING_TO_SAY.items()}
# In 1.0 a name has no colon, and a value no space in front.
VALUES[Version.V1_0] = VALUES[Version.V1_0].map(lambda text: text.lstrip(" "))
NAMES[Version.V1_0] = st.one_of(names, text_of("\n\r:", min_size=1))
HEADERS = {version: st.lists(st.tuples(NAMES[version], VALUES[version]), max_size=5) for version in Version}


def headers_of(version: Version) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Headers that a client of this version can send."""
    return HEADERS[version]


@st.composite
def said(draw: st.DrawFn, version: Version) -> Said:
    command = draw(commands)
    headers = draw(headers_of(version))
    body = draw(bodies) if command == "SEND" else b""
    if command == "SEND":
        headers.insert(0, ("destination", draw(st.sampled_from(["/queue/a", "/queue/b"]))))
        if b"\0" in body or draw(st.booleans()):
            headers.insert(draw(st.integers(0, len(headers))), ("content-length", str(len(body))))
    wire = encode_frame(command, headers, body, version=version.text)
    if draw(st.booleans()):
        head, _, rest = wire.partition(b"\n\n")
        wire = head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + rest
    wire += draw(st.sampled_from([b"", b"", b"\n", b"\r\n", b"\n\n"]))
    return Said(command, tuple(headers), body, wire)


def conversations(version: Version) -> st.SearchStrategy[list[Said]]:
    return st.lists(said(version), max_size=5)


@st.composite
def producers(draw: st.DrawFn) -> bytes:
    """What a producer or consumer sends: few heads, again and again, with other receipts and lengths."""
    heads = draw(st.lists(st.lists(st.sampled_from(LINES), max_size=5), min_size=1, max_size=2))
    frames = []
    for _ in range(draw(st.integers(1, 12))):
        lines = draw(st.sampled_from(heads))
        body = draw(st.sampled_from([b"", b"x", b"hello", b"a\0b", b"\n\n"]))
        receipt = draw(st.sampled_from([b"1", b"m-2", b"", b" 3", b"a\\cb", b"\xc3\xa9", b"4\r"]))
        head = b"".join(line % {b"receipt": receipt, b"length": b"%d" % len(body)} for line in lines)
        start = draw(
            st.sampled_from([b"SEND\ndestination:/queue/a\n", b"SEND\ndestination:/queue/a\n", b"ACK\nid:7\n"])
        )
        frames.append(start + head + b"\n" + body + b"\0" + draw(st.sampled_from([b"", b"\n"])))
    return b"".join(frames)


@st.composite
def varying_producers(draw: st.DrawFn) -> bytes:
    """What a producer sends whose messages have ids, groups and traces: long runs of heads that differ in values."""
    lines = draw(st.lists(st.sampled_from(VARYING_LINES), min_size=1, max_size=4, unique=draw(st.booleans())))
    lines = [*lines, *draw(st.sampled_from([[], [b"receipt:r%(value)b\n"], [b"content-length:%(length)b\n"]]))]
    frames = []
    for number in range(draw(st.integers(9, 20))):
        body = draw(st.sampled_from([b"", b"hello", b"a\0b" if b"length" in lines[-1] else b"a"]))
        odd = draw(st.sampled_from(ODD_ENDS)) if draw(st.integers(0, 9)) == 9 else b""
        head = b"".join([line % {b"value": b"%d%b" % (number, odd), b"length": b"%d" % len(body)} for line in lines])
        frames.append(b"SEND\ndestination:/queue/a\n" + head + b"\n" + body + b"\0")
    return b"".join(frames)


@st.composite
def turning_producers(draw: st.DrawFn) -> bytes:
    """What a producer sends whose messages have one of a few priorities, or go to one of a few queues."""
    turning = draw(st.sampled_from([b"priority:%(turn)b\n", b"destination:/queue/%(turn)b\n", b"x-a.b:%(turn)b\n"]))
    values = draw(st.lists(st.sampled_from([b"1", b"2", b"12", b"a.b", b"a\\cb", b"", b"("]), min_size=2, max_size=4))
    lines = draw(st.permutations([turning, b"destination:/queue/z\n", b"receipt:r%(number)d\n"]))
    length = draw(st.sampled_from([b"", b"content-length:%(length)d\n"]))
    frames = []
    for number in range(draw(st.integers(8, 20))):
        body = b"a\0b" if length else draw(st.sampled_from([b"", b"hello"]))
        turn = values[number % len(values)] if draw(st.integers(0, 9)) else draw(st.sampled_from([b"3", b"1\r", b"1:"]))
        head = b"".join(lines) + length
        head %= {b"turn": turn, b"number": number, b"length": len(body)}
        frames.append(b"SEND\n" + head + b"\n" + body + b"\0")
    return b"".join(frames)


ODD_ENDS = [b":", b"\\c", b"\xc3\xa9", b" x", b"%d", b"\r", b"\1", b"\nreceipt:x", b"\ndedup-id:1", b"x" * 256]
VARYING_LINES = [
    b"dedup-id:%(value)b\n",
    b"sequence-id:%(value)b\n",
    b"JMSXGroupID:%(value)b\n",
    b"trace:%(value)b\n",
    b"correlation-id:a:%(value)b\n",
    b"redelivered:%(value)b\n",
    b"priority:%(value)b\n",
    b"receipt:%(value)b\n",
    b"kind:x\n",
    b"reply-to:/temp-queue/a\n",
]
LINES = [
    b"receipt:%(receipt)b\n",
    b"content-length:%(length)b\n",
    b"content-length:%(length)b\n",
    b"content-length:1\n",
    b"kind:x\n",
    b"kind:a\\nb\n",
    b"transaction:t\n",
    b"crlf:x\r\n",
    b"a:b:c\n",
]
TOKENS = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\\",
    b":",
    b"\xff",
    b"receipt:",
    b"content-length:",
    b"SEND\n",
    b"ACK\nid:",
    b"-1",
    b"9" * 20,
]


@st.composite
def mutations(draw: st.DrawFn, original: bytes) -> bytes:
    """`original` with a few octets changed, dropped, doubled or put in."""
    data = bytearray(original)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(start + draw(st.integers(0, 6)), len(data))
        data[start:stop] = draw(
            st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3), st.just(bytes(data[start:stop]) * 2))
        )
    return bytes(data)


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` as reads of any size."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    bounds = [0, *places, len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(bounds)]
    return [piece for piece in pieces if piece]
