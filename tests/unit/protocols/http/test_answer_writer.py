"""Answers as octets, read back by h11."""

from __future__ import annotations

import h11
import pytest

from segue.protocols.http.answer_writer import AnswerWriter


def read_back(wire: bytes, method: str = "GET", *, closed: bool = False) -> tuple[h11.Response, bytes]:
    """What a client reads; fails if that is not a whole answer, or not all that was sent."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(wire)
    if closed:
        client.receive_data(b"")
    response, body = client.next_event(), b""
    assert isinstance(response, h11.Response)
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data[0] == b""
    return response, body


def in_pieces(writer: AnswerWriter, *headers: tuple[bytes, bytes]) -> bytes:
    return writer.begin(200, headers) + writer.piece(b"hel") + writer.piece(b"") + writer.piece(b"lo") + writer.end()


def test_a_whole_answer_is_read_as_it_was_meant() -> None:
    response, body = read_back(AnswerWriter(keeps_alive=True).whole(404, [(b"a", b"b")], b"hello"))
    assert (response.status_code, response.reason, body) == (404, b"Not Found", b"hello")
    assert list(response.headers) == [(b"a", b"b"), (b"content-length", b"5")]


def test_an_answer_to_head_says_how_long_the_body_would_be() -> None:
    response, body = read_back(AnswerWriter(is_head=True, keeps_alive=True).whole(200, [], b"hello"), "HEAD")
    assert (body, dict(response.headers)[b"content-length"]) == (b"", b"5")


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_may_have_no_body_has_none_and_says_no_length(status: int) -> None:
    response, body = read_back(AnswerWriter(keeps_alive=True).whole(status, [], b"hello"))
    assert (body, list(response.headers)) == (b"", [])


def test_an_answer_in_pieces_comes_in_chunks() -> None:
    writer = AnswerWriter(keeps_alive=True)
    response, body = read_back(in_pieces(writer))
    assert (body, list(response.headers)) == (b"hello", [(b"transfer-encoding", b"chunked")])
    assert writer.keeps_alive


def test_an_answer_in_pieces_whose_length_is_known_needs_no_chunks() -> None:
    writer = AnswerWriter(keeps_alive=True)
    response, body = read_back(in_pieces(writer, (b"content-length", b"5")))
    assert (body, list(response.headers)) == (b"hello", [(b"content-length", b"5")])
    assert writer.keeps_alive


def test_who_knows_no_chunks_sees_the_end_by_the_close() -> None:
    writer = AnswerWriter(has_chunks=False, keeps_alive=True)
    response, body = read_back(in_pieces(writer), closed=True)
    assert (body, list(response.headers)) == (b"hello", [(b"connection", b"close")])
    assert not writer.keeps_alive


def test_an_answer_in_pieces_to_head_is_its_head() -> None:
    response, body = read_back(in_pieces(AnswerWriter(is_head=True, keeps_alive=True)), "HEAD")
    assert (body, list(response.headers)) == (b"", [(b"transfer-encoding", b"chunked")])


def test_the_last_answer_says_so_once() -> None:
    for writer, headers in ((AnswerWriter(), []), (AnswerWriter(keeps_alive=True), [(b"connection", b"close")])):
        assert writer.whole(200, headers, b"").count(b"connection: close\r\n") == 1
        assert not writer.keeps_alive


@pytest.mark.parametrize("header", [(b"a", b"b\r\nc: d"), (b"a", b"b\n"), (b"a\r", b"b"), (b"a", b"\0")])
def test_a_header_can_not_begin_another_one(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="line end"):
        AnswerWriter().whole(200, [header], b"")
