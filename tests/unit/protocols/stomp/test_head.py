"""The memory for heads: it may only ever say what a full reading would say."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace

import pytest

from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.head import HeadCache, cut_receipt, read_head
from segue.protocols.stomp.limits import Limits

KEY = b"SEND\ndestination:/queue/a\ncontent-length:%d\nkind:x"


def remember(cache: HeadCache, key: bytes, times: int = 2) -> None:
    for _ in range(times):
        cache.remember(key, read_head(key, Version.V1_2, Limits()))


def test_a_head_is_kept_when_it_comes_a_second_time() -> None:
    cache = HeadCache(Limits())
    remember(cache, KEY % 5, times=1)
    assert cache.exact == {}
    remember(cache, KEY % 5, times=1)
    head, length = cache.exact[KEY % 5]
    assert (head.destination, length) == ("/queue/a", 5)


def test_a_known_shape_answers_for_every_length() -> None:
    cache = HeadCache(Limits())
    remember(cache, KEY % 5)
    hit = cache.by_shape(KEY % 999)
    assert hit is not None
    assert hit == (cache.exact[KEY % 5][0], 999)
    assert cache.exact[KEY % 999] == hit


@pytest.mark.parametrize("length", [b"-1", b"+1", b"1 ", b"", b"1\r", b"1e3", b"16777217", b"9" * 30])
def test_a_known_shape_does_not_answer_for_a_bad_length(length: bytes) -> None:
    cache = HeadCache(Limits())
    remember(cache, KEY % 5)
    assert cache.by_shape((KEY % 5).replace(b":5\n", b":" + length + b"\n")) is None


def test_a_shape_without_length_is_not_taken_for_one_with_a_length() -> None:
    cache = HeadCache(Limits())
    remember(cache, b"SEND\ndestination:/queue/a")
    assert cache.exact[b"SEND\ndestination:/queue/a"][1] == -1
    hit = cache.by_shape(b"SEND\ndestination:/queue/a\ncontent-length:7")
    assert hit is not None
    assert hit[1] == 7


def test_an_unknown_shape_has_no_answer() -> None:
    cache = HeadCache(Limits())
    remember(cache, KEY % 5)
    assert cache.by_shape(b"SEND\ndestination:/queue/b\ncontent-length:5\nkind:x") is None
    assert cache.by_shape(b"") is None


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"SEND\ndestination:/queue/a\nreceipt:2",
        b"SEND\ndestination:/queue/a\ncontent-length:1\ncontent-length:2",
        b"SEND\r\ndestination:/queue/a\r\ncontent-length:1\r",
    ],
)
def test_a_head_with_repeated_or_odd_lines_is_not_kept(key: bytes) -> None:
    cache = HeadCache(Limits())
    for _ in range(3):
        cache.remember(key, read_head(key or KEY % 5, Version.V1_2, Limits()))
    assert cache.exact == {}


def test_a_head_with_no_room_for_two_more_headers_is_not_kept() -> None:
    cache = HeadCache(Limits(header_count_max=4))
    remember(cache, KEY % 5)
    assert cache.exact == {}


def test_the_number_of_heads_is_limited() -> None:
    limits = Limits(cached_heads_max=10)
    cache = HeadCache(limits)
    for number in range(100):
        remember(cache, b"SEND\ndestination:/queue/%d" % number)
        assert 1 <= len(cache.exact) <= 10


def test_the_memory_of_heads_is_limited() -> None:
    many_headers = b"".join(b"\nk%d:x" % number for number in range(120))
    cache = HeadCache(Limits(cached_bytes_max=64 * 1024))
    tracemalloc.start()
    try:
        for number in range(200):
            remember(cache, b"SEND\ndestination:/queue/%d%b" % (number, many_headers))
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 150_000
    finally:
        tracemalloc.stop()
    assert 1 <= len(cache.exact) < 10


def test_lengths_of_every_size_do_not_outgrow_the_limit() -> None:
    cache = HeadCache(Limits(cached_heads_max=10))
    remember(cache, KEY % 0)
    for length in range(1, 100):
        if cache.by_shape(KEY % length) is None:
            remember(cache, KEY % length, times=1)
        assert KEY % length in cache.exact
        assert len(cache.exact) <= 10


def test_heads_that_come_once_are_forgotten() -> None:
    cache = HeadCache(Limits())
    for number in range(5000):
        remember(cache, b"SEND\ndestination:/queue/a\ncorrelation-id:%d" % number, times=1)
    assert cache.exact == {}


def test_a_receipt_line_is_cut_out_wherever_it_stands() -> None:
    assert cut_receipt(b"SEND\na:b", b"7-1") == (b"SEND\na:b", b"7-1")
    assert cut_receipt(b"SEND\na:b", b"7-1\nc:d\ne:f") == (b"SEND\na:b\nc:d\ne:f", b"7-1")


@pytest.mark.parametrize("value", [b"", b" 7", b"7\r", b"a\\cb", b"\xc3\xa9", b"7\0", b"\t", b"x" * 300])
def test_a_receipt_that_needs_a_full_reading_is_left_to_it(value: bytes) -> None:
    assert cut_receipt(b"SEND", value) == (b"", None)
    assert cut_receipt(b"SEND", value + b"\na:b") == (b"", None)


def test_before_the_login_no_head_is_that_of_a_send() -> None:
    head = read_head(b"SEND\ndestination:/queue/a\ncontent-length:3", None, Limits())
    assert (head.send, head.length) == (None, -1)


def test_a_frame_before_the_login_may_have_what_its_head_leaves_of_the_limit() -> None:
    limits = replace(Limits(), login_frame_bytes_max=100)
    assert read_head(b"CONNECT\nhost:a", None, limits).body_bytes_max == 100 - len("CONNECT\nhost:a")


FAMILY = b"SEND\ndestination:/queue/a\n%b\nkind:x"


def identified(line: bytes, learned: tuple[bytes, ...]) -> object:
    """What a cache that has read heads with some lines says about one with another line."""
    cache = HeadCache(Limits())
    for one in learned:
        remember(cache, FAMILY % one, times=1)
    hit = cache.by_shape(FAMILY % line)
    if hit is not None:
        assert hit == (read_head(FAMILY % line, Version.V1_2, Limits()).send, -1)
        assert cache.exact == {}
    return hit


@pytest.mark.parametrize(
    "line",
    [
        *(b"dedup-id:17", b"dedup-id:a:b c", b"dedup-id:" + b"x" * 255, b"_AMQ_DUPL_ID:17", b"sequence-id:17"),
        *(b"JMSXGroupID:17", b"_AMQ_GROUP_ID:a:b", b"correlation-id:17"),
    ],
)
def test_heads_that_differ_in_their_id_alone_are_known_from_the_third_one_on(line: bytes) -> None:
    name = line.partition(b":")[0]
    assert identified(line, (name + b":1",)) is None
    assert identified(line, (name + b":1", name + b":2")) is not None


@pytest.mark.parametrize(
    "line",
    [
        b"dedup-id:",
        b"dedup-id: 1",
        b"dedup-id:a\\nb",
        b"dedup-id:a\r",
        "dedup-id:é".encode(),
        b"dedup-id:" + b"x" * 256,
        b"dedup-id:3\ndedup-id:4",
        b"dedup-id:3\n_AMQ_DUPL_ID:4",
        b"Dedup-id:3",
        b"other:3",
    ],
)
def test_any_other_line_is_read_by_all_the_rules(line: bytes) -> None:
    assert identified(line, (b"dedup-id:1", b"dedup-id:2")) is None


@pytest.mark.parametrize("number", [b"x", b"-1", b"1.0", b"9" * 19, b"+1"])
def test_a_number_that_is_none_is_read_by_all_the_rules(number: bytes) -> None:
    assert identified(b"sequence-id:" + number, (b"sequence-id:1", b"sequence-id:2")) is None


@pytest.mark.parametrize("more", [b"\nJMSXGroupID:g", b"\ncorrelation-id:c\n_AMQ_GROUP_ID:g"])
def test_heads_of_one_group_may_differ_in_their_ids(more: bytes) -> None:
    learned = tuple(b"dedup-id:%d%b" % (number, more) for number in range(2))
    assert identified(b"dedup-id:17" + more, learned) is not None


def test_heads_that_differ_in_id_and_group_are_read_by_all_the_rules() -> None:
    learned = tuple(b"dedup-id:%d\nJMSXGroupID:%d" % (number, number) for number in range(4))
    assert identified(b"dedup-id:17\nJMSXGroupID:17", learned) is None


@pytest.mark.parametrize("line", ["dedup-id:é\nJMSXGroupID:%d", "correlation-id:é\nJMSXGroupID:%d"])
def test_a_head_whose_first_id_needs_a_full_reading_is_no_family(line: str) -> None:
    learned = tuple((line % number).encode() for number in range(4))
    assert identified((line % 17).encode(), learned) is None


@pytest.mark.parametrize(
    "more",
    [b"\ndedup-id:9", b"\n_AMQ_DUPL_ID:9", b"\nreply-to:/temp-queue/r", b"\ndelay:5", b"\nAMQ_SCHEDULED_TIME:5"],
)
def test_a_head_with_two_ids_a_reply_or_a_delay_is_no_family(more: bytes) -> None:
    learned = tuple(b"dedup-id:%d%b" % (number, more) for number in range(4))
    assert identified(b"dedup-id:17" + more, learned) is None


def test_a_family_knows_every_length_and_shares_its_route() -> None:
    cache = HeadCache(Limits())
    for number in (1, 2):
        remember(cache, FAMILY % b"dedup-id:%d\ncontent-length:5" % number, times=1)
    heads = []
    for number in (3, 4):
        hit = cache.by_shape(FAMILY % b"dedup-id:%d\ncontent-length:%d" % (number, number))
        assert hit is not None
        assert hit[1] == number
        heads.append(hit[0])
    heads[0].route = "there"
    assert heads[1].route == "there"
    assert cache.by_shape(FAMILY % b"dedup-id:3\ncontent-length:16777217") is None


def test_families_are_forgotten_with_the_rest_when_there_are_too_many() -> None:
    limits = Limits(cached_heads_max=3)
    cache = HeadCache(limits)
    for family in range(20):
        for number in range(3):
            key = b"SEND\ndestination:/queue/%d\ndedup-id:%d" % (family, number)
            cache.remember(key, read_head(key, Version.V1_2, limits))
            assert len(cache._families) + len(cache.exact) <= 3
