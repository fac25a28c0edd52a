"""Headers that a publisher gives without a frame: they end as STOMP's would, and the broker's own are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.headers import header_block, read_headers
from segue.broker.message_headers import FOR_CLIENTS, OBEYED, RESERVED, InvalidHeaderError, header_lines
from segue.protocols.stomp.frames import BROKER_HEADERS, encode_block
from segue.protocols.stomp.header_rules import RULES

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
names = texts.filter(lambda name: name not in RESERVED | FOR_CLIENTS | OBEYED.keys())


@given(st.dictionaries(names, texts, max_size=5), st.integers(0, 1 << 30))
def test_the_block_is_the_one_that_stomp_makes_of_the_same_headers(headers: dict[str, str], length: int) -> None:
    expected = encode_block([("destination", "/queue/a:b"), *headers.items()]) + b"content-length:%d\n\n" % length
    assert header_block(header_lines("/queue/a:b", headers.items()), length) == expected


@given(st.dictionaries(names, texts, max_size=5))
def test_headers_are_read_as_they_were_written(headers: dict[str, str]) -> None:
    block = header_block(header_lines("/queue/q", headers.items()), 7)
    assert read_headers(block) == [("destination", "/queue/q"), *headers.items()]


def test_what_is_said_otherwise_stands_in_headers_as_clients_send_them() -> None:
    lines = header_lines("/queue/q", [("a", "b")], ttl_ms=5, priority=0, group="g", dedup_id="d")
    said = {"expiration": "5", "priority": "0", "JMSXGroupID": "g", "dedup-id": "d"}
    assert dict(lines) == {"destination": "/queue/q", **said, "a": "b"}


def test_the_headers_of_the_broker_are_reserved() -> None:
    assert BROKER_HEADERS | {"destination", "content-length", "receipt", "transaction"} <= RESERVED


def test_what_a_client_can_ask_for_in_a_header_is_not_passed_over_here() -> None:
    of_messages = {rule.name for rule in RULES if rule.commands == ("SEND",)}
    passed_on = {"destination-type", "reply-to", "JMSXGroupSeq"}
    to_the_scheduler = {"AMQ_SCHEDULER_ACTION", "scheduledJobId", "ACTION_START_TIME", "ACTION_END_TIME"}
    assert of_messages - passed_on - to_the_scheduler <= RESERVED | FOR_CLIENTS | OBEYED.keys()


@pytest.mark.parametrize("name", sorted({*RESERVED, *FOR_CLIENTS, *OBEYED}))
def test_a_reserved_header_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidHeaderError, match=name) as refused:
        header_lines("/queue/q", [(name, "x")])
    assert (refused.value.name, refused.value.said_by) == (name, OBEYED.get(name, ""))


@pytest.mark.parametrize("headers", [[("", "x")], [("a", "1"), ("a", "2")], [("a", "x" * 40_000)]])
def test_headers_that_a_consumer_would_not_see_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidHeaderError, match="header"):
        header_lines("/queue/q", headers)
