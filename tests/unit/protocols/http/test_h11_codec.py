"""HTTP/1.1 by h11: events in, answers out, one request after the other."""

from __future__ import annotations

import pytest

from segue.protocols.http.codec import End, Event, RequestHead
from segue.protocols.http.errors import HttpError
from segue.protocols.http.h11_codec import H11Codec
from segue.protocols.http.limits import Limits

GET = b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n"
)


def events(codec: H11Codec) -> list[Event]:
    found: list[Event] = []
    while (event := codec.next_event()) is not None:
        found.append(event)
    return found


def the_head(found: list[Event]) -> RequestHead:
    head = found[0]
    assert isinstance(head, RequestHead)
    return head


def the_body(found: list[Event]) -> bytes:
    assert found[-1] is End.OF_REQUEST
    return b"".join([event for event in found if isinstance(event, bytes)])


@pytest.mark.parametrize(("wire", "body", "length"), [(GET, b"", 0), (POST, b"hello", 5), (CHUNKED, b"hello", None)])
def test_a_request_comes_out_however_it_is_cut(wire: bytes, body: bytes, length: int | None) -> None:
    for cut in range(len(wire)):
        codec = H11Codec(Limits())
        codec.receive(wire[:cut])
        found = events(codec)
        assert codec.begun is (0 < cut < wire.index(b"\r\n\r\n") + 4)
        codec.receive(wire[cut:])
        found += events(codec)
        assert the_head(found).length == length
        assert the_body(found) == body


def test_requests_in_one_read_come_one_after_the_other() -> None:
    codec = H11Codec(Limits())
    codec.receive(POST + CHUNKED + GET)
    for body in (b"hello", b"hello", b""):
        assert the_body(events(codec)) == body
        assert codec.next_event() is None
        codec.answer(200, [], b"x")
        assert codec.start_next()
    assert codec.next_event() is None


def test_what_comes_behind_a_request_waits_for_its_answer_and_is_looked_at_as_all_heads_are() -> None:
    codec = H11Codec(Limits())
    codec.receive(GET + GET.replace(b"\r\n", b"\n"))
    events(codec)
    codec.answer(200, [], b"")
    assert codec.start_next()
    with pytest.raises(HttpError) as refused:
        codec.next_event()
    assert refused.value.code == "bad-line-end"


def test_an_answer_says_how_long_it_is_and_one_to_head_has_no_body() -> None:
    for method, body in ((b"GET", b"hello"), (b"HEAD", b"")):
        codec = H11Codec(Limits())
        codec.receive(GET.replace(b"GET", method))
        events(codec)
        answer = codec.answer(200, [(b"a", b"b")], b"hello")
        assert answer == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 5\r\n\r\n" + body
        assert codec.start_next()


def test_an_answer_that_may_have_no_body_has_none_and_says_no_length() -> None:
    codec = H11Codec(Limits())
    codec.receive(GET)
    events(codec)
    assert codec.answer(204, [], b"") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_an_answer_may_come_in_pieces() -> None:
    codec = H11Codec(Limits())
    codec.receive(GET)
    events(codec)
    wire = codec.begin_answer(200, []) + codec.go_on(b"hel") + codec.go_on(b"lo") + codec.end_answer()
    assert wire.endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    assert codec.start_next()


def test_who_waits_for_leave_gets_it() -> None:
    codec = H11Codec(Limits())
    head, _, body = POST.partition(b"\r\n\r\n")
    codec.receive(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert the_head(events(codec)).expects_continue
    assert codec.leave() == b"HTTP/1.1 100 Continue\r\n\r\n"
    codec.receive(body)
    assert the_body(events(codec)) == b"hello"


@pytest.mark.parametrize(
    "wire", [GET.replace(b"1.1", b"1.0"), GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")]
)
def test_after_the_last_request_there_is_no_next_one(wire: bytes) -> None:
    codec = H11Codec(Limits())
    codec.receive(wire)
    events(codec)
    assert b"Connection: close" in codec.answer(200, [], b"")
    assert not codec.start_next()


@pytest.mark.parametrize(
    "wire",
    [
        POST.replace(b"5", b"+5"), POST.replace(b"5", b"5, 6"), POST.replace(b"5", b"-5"), POST.replace(b"5", b"0x5"),
        CHUNKED.replace(b"chunked", b"xchunked"), CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED.replace(b"2;x=y", b"2;x\n=y"), CHUNKED.replace(b"3\r\n", b"-3\r\n"),
        CHUNKED.replace(b"hel\r\n", b"hell\r\n"),
        GET.replace(b"Host: localhost\r\n", b""), GET.replace(b"/a", b"/a b"), GET.replace(b"GET", b"G\0T"),
        b"\x16\x03\x01\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_can_be_answered(wire: bytes) -> None:
    """Fault 80."""
    codec = H11Codec(Limits())
    codec.receive(wire)
    with pytest.raises(HttpError) as refused:
        events(codec)
    assert (refused.value.status, refused.value.closes) == (400, True)
    assert codec.answer(400, [], b"no").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert not codec.start_next()
