"""Messages as operators see them: the header block is STOMP's, octet for octet."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.control.message import (
    ARGUMENTS,
    FOR_CLIENTS,
    RESERVED_HEADERS,
    header_block,
    read_headers,
    show_body,
)
from segue.protocols.stomp.frames import BROKER_HEADERS, encode_block
from segue.protocols.stomp.header_rules import RULES

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
names = texts.filter(lambda name: name not in RESERVED_HEADERS | FOR_CLIENTS | ARGUMENTS.keys())


@given(st.dictionaries(names, texts, max_size=5), st.integers(0, 1 << 30))
def test_the_block_is_the_one_that_stomp_makes_of_the_same_headers(headers: dict[str, str], length: int) -> None:
    expected = encode_block([("destination", "/queue/a:b"), *headers.items()]) + b"content-length:%d\n\n" % length
    assert header_block("/queue/a:b", headers.items(), length) == expected


@given(st.dictionaries(names, texts, max_size=5))
def test_headers_are_read_as_they_were_written(headers: dict[str, str]) -> None:
    block = header_block("/queue/q", headers.items(), 7)
    assert read_headers(block) == [["destination", "/queue/q"], *map(list, headers.items())]


def test_a_block_that_is_not_utf8_is_shown_all_the_same() -> None:
    assert read_headers(b"a:\xff\ncontent-length:0\n\n") == [["a", "\\xff"]]


def test_the_headers_of_the_broker_are_reserved() -> None:
    assert BROKER_HEADERS | {"destination", "content-length", "receipt", "transaction"} <= RESERVED_HEADERS


def test_what_a_client_can_ask_for_in_a_header_is_not_passed_over_here() -> None:
    of_messages = {rule.name for rule in RULES if rule.commands == ("SEND",)}
    passed_on = {"destination-type", "reply-to", "JMSXGroupSeq"}
    to_the_scheduler = {"AMQ_SCHEDULER_ACTION", "scheduledJobId", "ACTION_START_TIME", "ACTION_END_TIME"}
    assert of_messages - passed_on - to_the_scheduler <= RESERVED_HEADERS | FOR_CLIENTS | ARGUMENTS.keys()


@pytest.mark.parametrize("name", sorted({*RESERVED_HEADERS, *FOR_CLIENTS, *ARGUMENTS}))
def test_a_reserved_header_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        header_block("/queue/q", [(name, "x")], 0)


@pytest.mark.parametrize("headers", [[("", "x")], [("a", "1"), ("a", "2")]])
def test_headers_that_a_consumer_would_not_see_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="header"):
        header_block("/queue/q", headers, 0)


def test_a_body_of_text_is_shown_as_text() -> None:
    assert show_body("häl\nlo".encode(), 100) == {"body": "häl\nlo", "body_bytes": 7, "body_cut": False}


def test_a_body_of_octets_is_shown_in_base64() -> None:
    shown = show_body(b"\xff\0\xfe", 100)
    assert base64.b64decode(shown["body_base64"]) == b"\xff\0\xfe"
    assert "body" not in shown


def test_an_empty_body_is_text() -> None:
    assert show_body(b"", 100)["body"] == ""


@pytest.mark.parametrize("bytes_max", range(8))
def test_a_cut_does_not_go_through_a_character(bytes_max: int) -> None:
    shown = show_body("äöü€".encode(), bytes_max)
    assert shown["body_cut"] is True
    assert "äöü€".startswith(shown["body"])
    assert bytes_max - len(shown["body"].encode()) < 3
