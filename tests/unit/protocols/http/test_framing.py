"""Heads of requests: what may be read in two ways is refused, however it comes."""

from __future__ import annotations

import pytest

from segue.protocols.http.errors import HttpError
from segue.protocols.http.framing import HeadReader, check_head
from segue.protocols.http.limits import Limits

LIMITS = Limits(target_bytes_max=100, header_count_max=16, head_bytes_max=1024)
HEAD = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"


def with_header(line: bytes) -> bytes:
    return HEAD.replace(b"Content-Length: 3\r\n", line)


@pytest.mark.parametrize("cut", range(len(HEAD)))
def test_a_head_is_whole_wherever_it_is_cut(cut: int) -> None:
    reader = HeadReader(LIMITS)
    first, at = reader.read(HEAD[:cut], 0)
    assert (first, at) == (None, cut)
    assert reader.begun is (cut > 2 or cut in (1, 2))
    assert reader.read(HEAD[cut:] + b"abc", 0) == (HEAD, len(HEAD) - cut)
    assert not reader.begun


def test_a_head_may_come_octet_by_octet() -> None:
    reader = HeadReader(LIMITS)
    found = [reader.read(HEAD[at : at + 1], 0)[0] for at in range(len(HEAD))]
    assert found == [None] * (len(HEAD) - 1) + [HEAD]


def test_empty_lines_before_a_request_are_skipped() -> None:
    assert HeadReader(LIMITS).read(b"\r\n\r\n" + HEAD + b"x", 0) == (HEAD, len(HEAD) + 4)


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (HEAD.replace(b"\r\n", b"\n"), 400, "bad-line-end"),
        (HEAD.replace(b"localhost\r\n", b"localhost\n"), 400, "bad-line-end"),
        (with_header(b"A: b\rX: c\r\n"), 400, "bad-line-end"),
        (with_header(b"A: b\r\n c\r\n"), 400, "bad-head"),
        (with_header(b"A: b\r\n\tc\r\n"), 400, "bad-head"),
        (with_header(b"Content-Length : 3\r\n"), 400, "bad-head"),
        (with_header(b"Content-Length\t: 3\r\n"), 400, "bad-head"),
        (with_header(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400, "ambiguous-length"),
        (with_header(b"transfer-encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400, "ambiguous-length"),
        (with_header(b"Content-Length: 3\r\ncontent-length: 3\r\n"), 400, "ambiguous-length"),
        (with_header(b"A: b\0c\r\n"), 400, "bad-head"),
        (with_header(b": b\r\n"), 400, "bad-head"),
        (with_header(b"no colon\r\n"), 400, "bad-head"),
        (HEAD.replace(b" /a", b"  /a"), 400, "bad-head"),
        (HEAD.replace(b"POST /a", b"/a"), 400, "bad-head"),
        (HEAD.replace(b"/a", b"/\xc3\xa4"), 400, "bad-head"),
        *[(HEAD.replace(b"/a", target), 400, "bad-target") for target in (b"a", b"*", b"http://h/a", b"h:80")],
        (HEAD.replace(b"HTTP/1.1", b"HTTP/1.10"), 400, "bad-head"),
        (HEAD.replace(b"HTTP/1.1", b"HTTP/2.0"), 505, "http-version"),
        (HEAD.replace(b"POST", b"post"), 501, "unknown-method"),
        (with_header(b"Content-Length: +3\r\n"), 400, "bad-length"),
        (with_header(b"Content-Length: 3, 3\r\n"), 400, "bad-length"),
        (with_header(b"Content-Length:\r\n"), 400, "bad-length"),
        (with_header(b"Content-Length: 1" + b"0" * 18 + b"\r\n"), 400, "bad-length"),
        (with_header(b"Content-Length: 3 \r\n"), 400, "bad-length"),
        (with_header(b"Transfer-Encoding: chunked \r\n"), 400, "bad-length"),
        (with_header(b"Transfer-Encoding: xchunked\r\n"), 400, "bad-length"),
        (with_header(b"Transfer-Encoding: gzip, chunked\r\n"), 400, "bad-length"),
        (with_header(b"Transfer-Encoding: chunked\r\n").replace(b"1.1", b"1.0"), 400, "bad-length"),
        (HEAD.replace(b"/a", b"/" + b"a" * 100), 414, "target-too-long"),
        (with_header(b"A: " + b"b" * 1000 + b"\r\n"), 431, "head-too-large"),
        (with_header(b"A: b\r\n" * 16), 431, "head-too-large"),
    ],
)
def test_what_may_be_read_in_two_ways_or_is_too_large_is_refused(head: bytes, status: int, code: str) -> None:
    """Faults 80, 81."""
    for size in (1, 7, len(head)):
        reader = HeadReader(LIMITS)
        with pytest.raises(HttpError) as refused:  # noqa: PT012 - it is refused with whichever piece shows it
            for at in range(0, len(head), size):
                reader.read(head[at : at + size], 0)
        assert (refused.value.status, refused.value.code, refused.value.closes) == (status, code, True)


@pytest.mark.parametrize(
    ("wire", "target"),
    [
        (with_header(b"A: b\r\n c\r\n"), "/a"),
        (HEAD.replace(b"HTTP/1.1", b"HTTP/2.0"), "/a"),
        (b"GET /3/" + b"a" * 200, "/3/" + "a" * 200),
        (b"\x16\x03\x01\n", ""),
        (b"GET \n", ""),
    ],
)
def test_whom_a_refused_head_was_for_is_told(wire: bytes, target: str) -> None:
    reader = HeadReader(LIMITS)
    with pytest.raises(HttpError):
        reader.read(wire, 0)
    assert reader.refused == target


def test_the_limits_are_those_that_they_are_called() -> None:
    target = HEAD.replace(b"/a", b"/" + b"a" * 99)
    assert HeadReader(LIMITS).read(target, 0)[0] == target
    headers = with_header(b"A: b\r\n" * 15)
    assert HeadReader(LIMITS).read(headers, 0)[0] == headers
    full = with_header(b"A: b\r\n" * 3)
    full = full.replace(b"A: b\r\n", b"A: " + b"b" * (1 + LIMITS.head_bytes_max - len(full)) + b"\r\n", 1)
    assert len(full) == LIMITS.head_bytes_max
    assert HeadReader(LIMITS).read(full, 0)[0] == full


def test_no_more_is_kept_than_a_head_may_have() -> None:
    reader = HeadReader(LIMITS)
    with pytest.raises(HttpError):
        reader.read(b"GET /a HTTP/1.1\r\n" + b"A: b\r\n" * 100_000, 0)
    assert len(reader._head) <= LIMITS.head_bytes_max + 1


@pytest.mark.parametrize(
    ("line", "length"),
    [
        (b"", 0),
        (b"Content-Length: 3\r\n", 3),
        (b"CONTENT-LENGTH:\t 03\r\n", 3),
        (b"X-Content-Length: 3\r\n", 0),
        (b"Transfer-Encoding: Chunked\r\n", None),
    ],
)
def test_a_head_says_how_long_the_body_is(line: bytes, length: int | None) -> None:
    assert check_head(with_header(line), LIMITS) == length


@pytest.mark.parametrize("cut", range(5))
def test_empty_lines_before_a_request_are_skipped_wherever_they_are_cut(cut: int) -> None:
    reader = HeadReader(LIMITS)
    wire = b"\r\n\r\n" + HEAD
    reader.read(wire[:cut], 0)
    assert reader.read(wire[cut:], 0)[0] == HEAD
