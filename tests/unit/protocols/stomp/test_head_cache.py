"""The memory for heads: it may only ever say what a full reading would say."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.head import read_head
from segue.protocols.stomp.head_cache import HeadCache, cut_receipt
from segue.protocols.stomp.limits import Limits

KEY = b"SEND\ndestination:/queue/a\ncontent-length:%d\nkind:x"


def remember(cache: HeadCache, key: bytes, times: int = 2) -> None:
    for _ in range(times):
        cache.remember(key, key, read_head(key, Version.V1_2, Limits()))


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
        cache.remember(key, key, read_head(key or KEY % 5, Version.V1_2, Limits()))
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


FAMILY = b"SEND\ndestination:/queue/%d\ndedup-id:%d"


def learn(cache: HeadCache, family: int, heads: int = 10) -> None:
    for number in range(heads):
        remember(cache, FAMILY % (family, number), times=1)


def test_a_template_is_used_for_its_family_and_comes_first_from_then_on() -> None:
    cache = HeadCache(Limits())
    learn(cache, 1)
    learn(cache, 2)
    for family in (1, 2, 1):
        hit = cache.by_template(FAMILY % (family, 99))
        assert hit is not None
        head: object = read_head(FAMILY % (family, 99), Version.V1_2, Limits()).send
        assert hit == (head, -1)
        assert cache.template is not None
        assert cache.template.shared is hit[0].shared
    assert cache.by_template(FAMILY % (3, 99)) is None
    assert cache.exact == {}


def test_families_take_bounded_memory() -> None:
    cache = HeadCache(Limits(cached_bytes_max=64 * 1024))
    many_headers = b"".join(b"\nk%d:x" % number for number in range(80))
    tracemalloc.start()
    try:
        for family in range(100):
            for number in range(10):
                remember(cache, FAMILY % (family, number) + many_headers, times=1)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 1_500_000  # of which `re` keeps most, for all connections
    finally:
        tracemalloc.stop()
    assert len(cache._families) < 10


def test_the_number_of_families_is_limited() -> None:
    cache = HeadCache(Limits())
    for family in range(1000):
        learn(cache, family, heads=1)
        assert 1 <= len(cache._families) <= 64


def test_what_is_forgotten_is_no_template_any_more() -> None:
    cache = HeadCache(Limits())
    learn(cache, 1)
    assert cache.by_template(FAMILY % (1, 99)) is not None
    cache.clear()
    assert cache.template is None
    assert cache.by_template(FAMILY % (1, 99)) is None
