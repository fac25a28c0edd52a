"""Strategies: what clients send, right and wrong, and how it is cut into reads."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from hypothesis import strategies as st

__all__ = ["Sent", "cut", "mutations", "requests"]

_TOKEN: Final = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# What a mutation puts in: whatever means something to somebody who reads HTTP.
_FRAGMENTS: Final = [
    *[
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b":",
        b": ",
        b";",
        b",",
        b"\0",
        b"\x01",
        b"\x7f",
        b"\xff",
    ],
    *[b"0\r\n\r\n", b"5\r\n", b"chunked", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: b\r\n"],
    *[b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"HTTP/1.0"],
    *[
        b"GET / HTTP/1.1\r\n",
        b"HTTP/2.0",
        b"*",
        b"http://a/",
        b"CONNECT",
        b"PRI",
        b"#",
        b"?",
        b"\\",
        b'"',
        b"+",
        b"-",
        b"_",
    ],
]


@dataclass(frozen=True)
class Sent:
    """A request, and what it is on the wire."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    wire: bytes


methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
targets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=20).map("/".__add__)
names = st.text(_TOKEN, min_size=1, max_size=12).filter(
    lambda name: name.lower() not in ("content-length", "transfer-encoding", "host", "connection", "expect")
)
inner = st.one_of(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), st.characters(min_codepoint=0x80, max_codepoint=0xFF)
)
values = st.text(st.one_of(inner, st.just("\t")), max_size=20)
spaces = st.text(" \t", max_size=2)
bodies = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(_FRAGMENTS), max_size=5).map(b"".join))


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    """One that is right, in any of the ways in which it may be written."""
    method, target, body = draw(methods), draw(targets), draw(bodies)
    fields = [("Host", "a"), *draw(st.lists(st.tuples(names, values), max_size=4))]
    lines = [f"{name}:{draw(spaces)}{value}{draw(spaces)}\r\n" for name, value in fields]
    if draw(st.booleans()):
        lines.append(f"Transfer-Encoding:{draw(spaces)}chunked\r\n")
        framed = draw(in_chunks(body))
    else:
        lines += [f"Content-Length:{draw(spaces)}{len(body)}\r\n"] if body else []
        framed = body
    lines = draw(st.permutations(lines))
    head = f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n"
    return Sent(method, target, _headers_of(lines), body, head.encode("latin-1") + framed)


def _headers_of(lines: list[str]) -> tuple[tuple[bytes, bytes], ...]:
    parts = [line.encode("latin-1").partition(b":") for line in lines]
    return tuple((name.lower(), value.strip(b" \t\r\n")) for name, _, value in parts)


@st.composite
def in_chunks(draw: st.DrawFn, body: bytes) -> bytes:
    """A body in chunks."""
    wire = []
    for piece in cut(body, draw(st.lists(st.integers(0, len(body)), max_size=3))):
        extension = draw(st.sampled_from([b"", b";a", b";a=b;c", b';a="\xff"']))
        wire.append(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece))
    trailers = draw(st.sampled_from([b"", b"T: 1\r\n", b"Content-Length: 9\r\nA:\r\n"]))
    return b"".join(wire) + draw(st.sampled_from([b"0", b"000", b"0;a"])) + b"\r\n" + trailers + b"\r\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Data in pieces, none of them empty."""
    return [data[start:end] for start, end in pairwise(sorted({0, len(data), *places})) if start < end]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Some requests behind each other, with some octets put in, taken out or changed."""
    wire = b"".join([sent.wire for sent in draw(st.lists(requests(), min_size=1, max_size=3))])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(wire)))
        gone = draw(st.integers(0, 4))
        wire = wire[:at] + draw(st.one_of(st.sampled_from(_FRAGMENTS), st.binary(max_size=2))) + wire[at + gone :]
    return wire
