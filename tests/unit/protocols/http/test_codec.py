"""HTTP/1.1 of one connection, by each parser: events in, answers out, one request after the other."""

from __future__ import annotations

import pytest

from segue.protocols.http.codec import Codec, End, Event, RequestHead
from segue.protocols.http.errors import HttpError
from segue.protocols.http.limits import Limits
from tests.unit.protocols.http.parsers import PARSERS

GET = b"GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n"
)
UPGRADE = b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.fixture(params=sorted(PARSERS))
def codec(request: pytest.FixtureRequest) -> Codec:
    return new_codec(request.param)


def new_codec(parser: str) -> Codec:
    return Codec(Limits(), PARSERS[parser])


def events(codec: Codec, wire: bytes = b"") -> list[Event]:
    codec.receive(wire)
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


@pytest.mark.parametrize("parser", sorted(PARSERS))
@pytest.mark.parametrize(("wire", "body", "length"), [(GET, b"", 0), (POST, b"hello", 5), (CHUNKED, b"hello", None)])
def test_a_request_comes_out_however_it_is_cut(parser: str, wire: bytes, body: bytes, length: int | None) -> None:
    for cut in range(len(wire)):
        codec = new_codec(parser)
        found = events(codec, wire[:cut])
        assert codec.begun is (0 < cut < wire.index(b"\r\n\r\n") + 4)
        found += events(codec, wire[cut:])
        assert the_head(found).length == length
        assert the_body(found) == body


def test_a_head_says_what_is_asked(codec: Codec) -> None:
    head = the_head(events(codec, GET.replace(b"\r\n\r\n", b"\r\nA:\r\nB:\t b \t\r\nA: \xe4\r\n\r\n")))
    assert (head.method, head.target) == ("GET", "/a?b=c")
    assert head.headers == [(b"host", b"localhost"), (b"a", b""), (b"b", b"b"), (b"a", b"\xe4")]


def test_requests_in_one_read_come_one_after_the_other(codec: Codec) -> None:
    codec.receive(POST + CHUNKED + UPGRADE + GET)
    for body in (b"hello", b"hello", b"", b""):
        assert the_body(events(codec)) == body
        assert codec.next_event() is None
        codec.answer(200, [], b"x")
        assert codec.start_next()
    assert codec.next_event() is None


def test_what_comes_behind_a_request_waits_for_its_answer_and_is_looked_at_as_all_heads_are(codec: Codec) -> None:
    events(codec, GET + GET.replace(b"\r\n", b"\n"))
    codec.answer(200, [], b"")
    assert codec.start_next()
    with pytest.raises(HttpError) as refused:
        codec.next_event()
    assert refused.value.code == "bad-line-end"


def test_a_request_that_is_not_whole_when_it_is_answered_is_the_last_one(codec: Codec) -> None:
    events(codec, POST[:-1])
    codec.answer(200, [], b"")
    assert not codec.start_next()


@pytest.mark.parametrize(("method", "body"), [(b"GET", b"hello"), (b"HEAD", b"")])
def test_an_answer_says_how_long_it_is_and_one_to_head_has_no_body(codec: Codec, method: bytes, body: bytes) -> None:
    events(codec, GET.replace(b"GET", method))
    answer = codec.answer(200, [(b"a", b"b")], b"hello")
    assert answer == b"HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 5\r\n\r\n" + body
    assert codec.start_next()


def test_who_waits_for_leave_gets_it(codec: Codec) -> None:
    head, _, body = POST.partition(b"\r\n\r\n")
    found = events(codec, head + b"\r\nExpect: 100-Continue\r\n\r\n")
    assert the_head(found).expects_continue
    assert codec.leave() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert the_body(events(codec, body)) == b"hello"


def test_what_comes_behind_a_switch_of_protocols_is_handed_over_as_it_came(codec: Codec) -> None:
    events(codec, UPGRADE + b"\x81\x00")
    codec.receive(b"\r\n")
    answer, behind = codec.switch([(b"upgrade", b"websocket"), (b"connection", b"upgrade")])
    assert answer == b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    assert behind == b"\x81\x00\r\n"


def test_who_speaks_http_1_0_does_not_wait_for_leave(codec: Codec) -> None:
    wire = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n").replace(b"1.1", b"1.0")
    assert not the_head(events(codec, wire)).expects_continue


@pytest.mark.parametrize(
    "wire",
    [
        GET.replace(b"1.1", b"1.0"),
        GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        GET.replace(b"\r\n\r\n", b"\r\nConnection: TE, Close\r\n\r\n"),
    ],
)
def test_after_the_last_request_there_is_no_next_one(codec: Codec, wire: bytes) -> None:
    events(codec, wire)
    assert b"connection: close" in codec.answer(200, [], b"")
    assert not codec.start_next()


@pytest.mark.parametrize(
    "wire",
    [
        POST.replace(b"5", b"+5"), POST.replace(b"5", b"5, 6"), POST.replace(b"5", b"-5"), POST.replace(b"5", b"0x5"),
        CHUNKED.replace(b"chunked", b"xchunked"), CHUNKED.replace(b"chunked", b"gzip, chunked"),
        CHUNKED.replace(b"2;x=y", b"2;x\n=y"), CHUNKED.replace(b"3\r\n", b"-3\r\n"),
        CHUNKED.replace(b"hel\r\n", b"hell\r\n"), CHUNKED.replace(b"0\r\n", b"0\n"),
        GET.replace(b"Host: localhost\r\n", b""), GET.replace(b"Host", b"Host: a\r\nHost"),
        GET.replace(b"Host: localhost\r\n", b"").replace(b"1.1", b"1.0"),
        GET.replace(b"/a", b"/a b"), GET.replace(b"GET", b"G\0T"), b"\x16\x03\x01\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_is_refused_and_can_be_answered(codec: Codec, wire: bytes) -> None:
    """Fault 80."""
    with pytest.raises(HttpError) as refused:
        events(codec, wire)
    assert (refused.value.status, refused.value.closes) == (400, True)
    answer = codec.answer(400, [(b"connection", b"close")], b"no")
    assert answer == b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"
    assert not codec.start_next()


def test_an_answer_can_be_given_before_anything_has_come(codec: Codec) -> None:
    assert codec.answer(503, [], b"").startswith(b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n")
    assert not codec.start_next()
