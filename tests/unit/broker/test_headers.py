"""Headers of a stored message: what is read, and what becomes of the others when some are set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.headers import header, with_headers
from segue.broker.message import decode
from tests.unit.broker.actors import record

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
