"""Headers that differ: what each message, and each consumer, has in them."""

import pytest

from segue.bench.frames import SendFrames
from segue.bench.header_pattern import PatternError, check_pattern, consumer_headers
from tests.unit.bench.loopback_broker import client_frames


def values(text: str, first: int = 0, count: int = 4, streams: int = 1) -> list[str | None]:
    """The header `h` of these messages."""
    queues = [f"/queue/{number}" for number in range(streams)]
    encoder = SendFrames(queues, range(5, 5 + streams), 12, 32, [("before", "x"), ("h", text), ("after", "y")])
    sent = client_frames(encoder.encode(first, count))
    assert {(fields["before"], fields["after"]) for _, fields, _ in sent} == {("x", "y")}
    return [fields.get("h") for _, fields, _ in sent]


def test_empty_braces_are_the_key_of_the_message() -> None:
    encoder = SendFrames(["/queue/a"], [5], 12, 64, [("dedup-id", "{}")])
    for _, fields, body in client_frames(encoder.encode(7, 3)):
        assert b"#" + fields["dedup-id"].encode() + b" " == body[:20]


def test_the_numbers_of_messages_begin_with_1() -> None:
    assert values("{number}", first=9, count=3) == ["10", "11", "12"]


def test_a_number_in_braces_is_what_the_messages_are_counted_to() -> None:
    assert values("g{3}", first=1, count=5) == ["g1", "g2", "g0", "g1", "g2"]


def test_a_cycle_goes_on_through_block_after_block() -> None:
    encoder = SendFrames(["/queue/a"], [0], 0, 32, [("h", "{1000}")])
    for first in (0, 256, 999, 1_000, 123_456_789):
        sent = client_frames(encoder.encode(first, 256))
        assert [int(fields["h"]) for _, fields, _ in sent] == [(first + n) % 1000 for n in range(256)]


def test_alternatives_come_in_turn_and_are_escaped() -> None:
    assert values("<{a:1|50%|c}>", count=4) == ["<a\\c1>", "<50%>", "<c>", "<a\\c1>"]


def test_a_header_that_is_an_empty_alternative_is_left_out() -> None:
    assert values("{a|}", count=3) == ["a", None, "a"]


def test_run_and_stream_tell_producers_of_all_runs_apart() -> None:
    assert values("bench-{run}", count=2) == ["bench-001200005", "bench-001200005"]


def test_each_stream_of_a_producer_counts_for_itself() -> None:
    assert values("{number}-{2}", first=2, count=4, streams=2) == ["2-1", "2-1", "3-0", "3-0"]
    assert values("{run}", count=2, streams=2) == ["001200005", "001200006"]


@pytest.mark.parametrize("text", ["{what}", "{0}", "{-1}", "{1000001}", "{Number}"])
def test_what_has_no_meaning_in_braces_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        check_pattern(text)


def test_braces_that_are_not_a_pair_are_braces() -> None:
    check_pattern("}{")
    assert values("}{", count=1) == ["}{"]


def test_consumers_have_headers_in_turn() -> None:
    headers = [("selector", "half = {2}"), ("x-priority", "{|9}"), ("durable", ""), ("name", "c{number}")]
    assert consumer_headers(headers, 0) == [("selector", "half = 0"), ("durable", ""), ("name", "c1")]
    assert consumer_headers(headers, 3) == [
        ("selector", "half = 1"),
        ("x-priority", "9"),
        ("durable", ""),
        ("name", "c4"),
    ]
