"""What is kept of a request's body, and who is told of it."""

from __future__ import annotations

from functools import partial

import pytest

from segue.protocols.http.body import Body
from segue.protocols.http.errors import HttpError

LOST = HttpError(400, "lost", "The rest is lost")


@pytest.mark.parametrize("pieces", [[], [b"one"], [b"one", b"two"]])
def test_all_that_is_here_is_taken_at_once_and_then_is_not_here_any_more(pieces: list[bytes]) -> None:
    body = Body()
    for piece in pieces:
        body.put(piece)
    size = len(b"".join(pieces))
    assert (body.held, body.received) == (size, size)
    assert (body.take(), body.take()) == (b"".join(pieces), b"")
    assert (body.held, body.received) == (0, size)


def test_one_that_is_gathered_waits_for_nobody() -> None:
    body = Body()
    body.break_off(LOST)
    assert (body.open, body.unread, body.has_room, body.failure) == (False, False, False, None)


def test_one_that_is_taken_in_pieces_has_room_until_much_is_here() -> None:
    body = Body(in_pieces=True)
    seen = [body.has_room]
    body.put(b"x" * (64 << 10))
    seen.append(body.has_room)
    body.take()
    seen.append(body.has_room)
    body.end()
    assert (seen, body.has_room, body.open, body.unread) == ([True, False, True], False, False, False)


def test_who_waits_is_told_once_of_whatever_comes_next() -> None:
    body = Body(in_pieces=True)
    for happen in (partial(body.put, b"x"), partial(body.break_off, LOST), body.end):
        news, wanted = body.news(), body.wanted
        happen()
        body.failure = None
        assert (news.is_set(), wanted, body.wanted) == (True, True, False)


def test_one_that_is_whole_can_not_break_off() -> None:
    body = Body(in_pieces=True)
    body.end()
    body.break_off(LOST)
    assert body.failure is None
