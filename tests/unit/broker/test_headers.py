"""Headers of a stored message: what is read, and what becomes of the others when some are set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.headers import Headers, header_block, read_headers, with_headers
from segue.broker.message import decode, encode, prefix
from segue.broker.selector import compile_selector
from tests.unit.broker.actors import header, record

_BLOCK = b"destination:/queue/a\\cb\na:1\na:2\ntext:line\\none\\\\two\ncontent-length:4\n\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [("destination", "/queue/a:b"), ("a", "1"), ("text", "line\none\\two"), ("content-length", "4"), ("tex", None)],
)
def test_the_first_header_of_a_name_is_read(name: str, value: str | None) -> None:
    assert header(decode(record("body", _BLOCK)), name) == value


def test_headers_are_set_in_place_of_those_of_the_same_name_and_all_else_stays() -> None:
    changed = decode(with_headers(decode(record("body", _BLOCK)), {"a": "3", "new": "x"}, accepted_ms=7))
    assert changed.headers == b"a:3\nnew:x\ndestination:/queue/a\\cb\ntext:line\\none\\\\two\ncontent-length:4\n\n"
    assert (changed.body, changed.accepted_ms, changed.expires_ms) == (b"body", 7, 0)


def test_a_header_that_only_begins_like_one_that_is_set_stays() -> None:
    changed = decode(with_headers(decode(record("", b"ab:1\na:1\ncontent-length:0\n\n")), {"a": "2"}, accepted_ms=7))
    assert changed.headers == b"a:2\nab:1\ncontent-length:0\n\n"


@given(st.text(min_size=1), st.text(), st.binary())
def test_any_text_comes_back_as_it_was_set(name: str, value: str, body: bytes) -> None:
    if not name.isprintable() or not value.isprintable():
        name, value = name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()
    changed = decode(with_headers(decode(record(body, b"content-length:0\n\n")), {name: value}, accepted_ms=7))
    assert header(changed, name) == value
    assert changed.body == body


def test_headers_of_stored_messages_are_found_one_by_one() -> None:
    headers = Headers(record("\na:body\n", _BLOCK))
    expected = {"destination": "/queue/a:b", "a": "1", "text": "line\none\\two", "content-length": "4"}
    assert {name: headers.get(name) for name in expected} == expected
    assert [headers.get(name) for name in ("tex", "ext", "body", "", "\nbody", "x" * 100, "\ud800")] == [None] * 7


def test_a_header_is_found_wherever_it_stands_and_never_in_the_body() -> None:
    blocks = [b"a:1\nb:22\ncontent-length:0\n\n", b"b:2\ncontent-length:0\n\n", b"content-length:0\n\n"]
    values = [[Headers(record("\na:9\n", block)).get(name) for name in "ab"] for block in blocks]
    assert values == [["1", "22"], [None, "2"], [None, None]]


def test_when_a_message_expires_is_found_whichever_header_said_it() -> None:
    block = b"content-length:0\n\n"
    assert Headers(encode(*prefix(1, block, 0, 5_000), b"")).get("expires") == "5000"
    assert Headers(encode(*prefix(1, b"expires:04\n" + block, 0, 4), b"")).get("expires") == "04"
    assert Headers(record("", block)).get("expires") is None


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5), st.binary())
def test_every_header_that_was_set_is_found_among_the_others(wanted: dict[str, str], body: bytes) -> None:
    wanted = {plain(name): plain(value) for name, value in wanted.items()}
    stored = Headers(with_headers(decode(record(body, b"content-length:0\n\n")), wanted, accepted_ms=7))
    assert {name: stored.get(name) for name in wanted} == wanted


def test_headers_that_are_not_utf8_are_shown_all_the_same() -> None:
    assert read_headers(b"a:\xff\ncontent-length:0\n\n") == [("a", "\\xff")]


def plain(text: str) -> str:
    """Without what UTF-8 can't say."""
    return text.encode("utf-8", "replace").decode()


def test_a_selector_asks_a_stored_message() -> None:
    selector = compile_selector("a = 1 AND text LIKE 'line_one%' AND JMSDestination = '/queue/a:b' AND b IS NULL")
    assert selector.matches(Headers(record("body", _BLOCK)))


def test_a_new_block_holds_any_text() -> None:
    block = header_block([("destination", "/queue/a"), ("ä:\n", "\0\\")], 3)
    assert block == "destination:/queue/a\nä\\c\\n: \\\\\ncontent-length:3\n\n".encode()
    assert Headers(encode(*prefix(1, block), b"abc")).get("ä:\n") == " \\"
