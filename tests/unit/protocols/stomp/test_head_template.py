"""Templates of heads that differ: they may only ever say what the full reader says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from segue.protocols.stomp.events import SEND, SendEvent
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.head import read_head
from segue.protocols.stomp.head_template import HeadFamily, HeadTemplate, can_be_learned, family_of
from segue.protocols.stomp.limits import FAST_HEAD_BYTES, Limits
from tests.unit.protocols.stomp.wire import NOT_CACHED, connect

HEAD = b"SEND\ndestination:/queue/a\n%b\nkind:x"
BODY_MAX = 1000


def read_run(template: HeadTemplate, data: bytes, pos: int = 0) -> tuple[list[SendEvent], int]:
    """The SENDs, and where it goes on."""
    run: list[SendEvent] = []
    return run, template.read_run(data, pos, BODY_MAX, run.append)


def fully_read(raw: bytes) -> object:
    """What a template should say of a head without a length."""
    return read_head(raw, Version.V1_2, Limits()).send, -1


def learned(heads: Iterable[bytes]) -> HeadTemplate | None:
    """The template that comes of reading these heads, which are of one family."""
    first, *others = list(heads)
    lines = first.split(b"\n")
    assert can_be_learned(lines)
    family = HeadFamily(lines)
    for head in others:
        assert family_of(head.split(b"\n")) == family_of(lines)
        send = read_head(head, Version.V1_2, Limits()).send
        assert send is not None
        family.add(head.split(b"\n"), send)
    return family.template


def template_of(*lines: bytes) -> HeadTemplate:
    """The template of heads in which these lines have a number in them."""
    together = b"\n".join(lines)
    template = learned(HEAD % together.replace(b"%d", b"%d" % number) for number in range(8))
    assert template is not None
    return template


@pytest.mark.parametrize(
    "line",
    [
        *(b"dedup-id:17", b"dedup-id:a:b c", b"dedup-id:" + b"x" * 255, b"_AMQ_DUPL_ID:17", b"sequence-id:17"),
        *(b"JMSXGroupID:17", b"_AMQ_GROUP_ID:a:b", b"correlation-id:17", b"traceparent:00-ab-01", b"time:12:30:00"),
    ],
)
def test_a_value_that_differs_is_found_in_its_place(line: bytes) -> None:
    name, _, value = line.partition(b":")
    hit = template_of(name + b":%d").read_head(HEAD % line)
    assert hit is not None
    assert hit == fully_read(HEAD % line)
    assert hit[0].values == (value,)


@pytest.mark.parametrize(
    "line",
    [
        *(b"dedup-id:", b"dedup-id: 1", b"dedup-id:a\\nb", b"dedup-id:a\r", "dedup-id:é".encode()),
        *(b"dedup-id:" + b"x" * 256, b"dedup-id:3\ndedup-id:4", b"Dedup-id:3", b"other:3", b"dedup-id:3\nreceipt:4"),
    ],
)
def test_any_other_line_is_read_by_all_the_rules(line: bytes) -> None:
    assert template_of(b"dedup-id:%d").read_head(HEAD % line) is None


@pytest.mark.parametrize("number", [b"x", b"-1", b"1.0", b"9" * 19, b"+1"])
def test_a_number_that_is_none_is_read_by_all_the_rules(number: bytes) -> None:
    assert template_of(b"sequence-id:%d").read_head(HEAD % (b"sequence-id:" + number)) is None


def test_several_values_may_differ() -> None:
    template = template_of(b"dedup-id:%d", b"content-type:text/plain", b"trace:t%d", b"JMSXGroupID:%d")
    raw = HEAD % b"dedup-id:a:b\ncontent-type:text/plain\ntrace:%d\nJMSXGroupID:g"
    hit = template.read_head(raw)
    assert hit is not None
    assert hit == fully_read(raw)
    assert (hit[0].values, hit[0].shared.identity_at) == ((b"a:b", b"%d", b"g"), 0)
    assert template.read_head(raw.replace(b"plain", b"html")) is None


def test_what_differs_later_is_learned_later() -> None:
    heads = [HEAD % b"dedup-id:%d\ntrace:%d" % (number, max(0, number - 10)) for number in range(20)]
    for heads_read in (8, 12):
        template = learned(heads[:heads_read])
        assert template is not None
        assert (template.read_head(heads[15]) is None) == (heads_read == 8)


def test_heads_that_differ_in_too_much_have_no_template() -> None:
    lines = [b"k%d" % number for number in range(5)]
    assert learned(HEAD % b"\n".join([b"%b:%d" % (line, number) for line in lines]) for number in range(20)) is None


def test_heads_that_do_not_differ_need_none() -> None:
    assert learned([HEAD % b"a:b"] * 20) is None


@pytest.mark.parametrize(
    "line",
    [
        *(b"persistent:%s", b"expires:%s", b"transaction:%s", b"reply-to:/temp-queue/%s", b"delay:%s", b"priority:%s"),
        *(b"message-id:%s", b"redelivered:%s", b"AMQ_SCHEDULED_TIME:%s", b"producer-name:%s", b"x-max-length:%s"),
    ],
)
def test_what_means_something_to_the_broker_makes_another_family(line: bytes) -> None:
    one, other = ((HEAD % (line % value)).split(b"\n") for value in (b"1", b"2"))
    assert family_of(one) != family_of(other)
    assert family_of(one) == family_of((HEAD % (line % b"1")).replace(b":x", b":y").split(b"\n"))


def test_a_value_that_has_to_be_decoded_makes_another_family() -> None:
    for value in ("", " 1", "a\\cb", "é", "x" * 256):
        assert family_of((HEAD % f"trace:{value}".encode()).split(b"\n"))[2] == f"trace:{value}".encode()


@pytest.mark.parametrize(
    "more", [b"dedup-id:1\ndedup-id:2", b"dedup-id:1\n_AMQ_DUPL_ID:2", b"trace:1\ntrace:2", b"trace:\1"]
)
def test_heads_with_two_ids_a_name_twice_or_our_mark_are_not_learned(more: bytes) -> None:
    assert not can_be_learned((HEAD % more).split(b"\n"))


def frames(count: int, line: bytes = b"dedup-id:%d\ncontent-length:5\nreceipt:r%d", body: bytes = b"a\0b\nc") -> bytes:
    return b"".join(
        [HEAD % (line % ((number,) * line.count(b"%d"))) + b"\n\n" + body + b"\0" for number in range(count)]
    )


def test_a_run_of_frames_is_taken_apart_up_to_the_first_that_is_not_whole() -> None:
    template = template_of(b"dedup-id:%d\ncontent-length:5\nreceipt:r")
    data = b"\n" + frames(5)
    run, after = read_run(template, data[:-1], 1)
    assert after == len(data) - len(frames(1))
    expected = [HEAD % (b"dedup-id:%d" % number) for number in range(4)]
    assert run == [
        (SEND, read_head(head, Version.V1_2, Limits()).send, b"r%d" % number, b"a\0b\nc")
        for number, head in enumerate(expected)
    ]
    assert read_run(template, data, after)[1] == len(data)


def test_bodies_of_any_length_are_of_one_template() -> None:
    template = template_of(b"dedup-id:%d\ncontent-length:1")
    data = b"".join(
        [HEAD % (b"dedup-id:1\ncontent-length:%d" % size) + b"\n\n" + b"x" * size + b"\0" for size in range(9)]
    )
    assert [len(event[3]) for event in read_run(template, data)[0]] == list(range(9))


def test_a_body_without_a_length_ends_at_its_nul() -> None:
    template = template_of(b"dedup-id:%d")
    data = frames(2, b"dedup-id:%d", b"hello")
    run, after = read_run(template, data + data[:-1])
    assert ([event[3] for event in run], after) == ([b"hello"] * 2 + [b"hello"], len(data) + len(data) // 2)


@pytest.mark.parametrize(
    "frame",
    [
        HEAD % b"dedup-id:1\ncontent-length:1001" + b"\n\n" + b"x" * 1001 + b"\0",
        HEAD % b"dedup-id:1\ncontent-length:3" + b"\n\n" + b"abcd\0",
        HEAD % b"dedup-id:1\ncontent-length:3" + b"\r\n\n" + b"abc\0",
        HEAD % b"dedup-id:1\ncontent-length:999999999999999999" + b"\n\n" + b"abc\0",
        HEAD % b"dedup-id:1\ncontent-length:3" + b"\n\nab",
    ],
)
def test_a_body_that_is_wrong_is_left_to_the_full_reader(frame: bytes) -> None:
    assert read_run(template_of(b"dedup-id:%d\ncontent-length:1"), frame + b"\n" * 100) == ([], 0)


def test_a_head_that_grows_beyond_the_smallest_limit_is_left_to_the_full_reader() -> None:
    more = b"\nk:" + b"x" * (FAST_HEAD_BYTES - 260)
    template = learned(HEAD % (b"trace:%d" % number) + more for number in range(8))
    assert template is not None
    short, long = (HEAD % (b"trace:" + b"y" * size) + more + b"\n\n\0" for size in (100, 250))
    assert len(read_run(template, short)[0]) == 1
    assert read_run(template, long) == ([], 0)


def same_length(first: int, count: int, size: int = 5) -> bytes:
    line = b"dedup-id:i%d\ncontent-length:%d\nreceipt:r%d\ntrace:t%d"
    numbers = range(first, first + count)
    return b"".join(
        [HEAD % (line % (number, size, number, number)) + b"\n\n" + b"\0" * size + b"\0" for number in numbers]
    )


def test_frames_with_bodies_of_one_length_are_matched_as_a_whole_from_then_on() -> None:
    template = template_of(b"dedup-id:i%d\ncontent-length:5\nreceipt:r\ntrace:t%d")
    for data in (same_length(0, 100), same_length(100, 100), same_length(200, 2) + same_length(202, 100, 7) + b"x"):
        read, after = read_run(template, data)
        assert after == len(data.removesuffix(b"x"))
        plain = [event for event in connect(limits=NOT_CACHED).receive_data(data) if event[0] == SEND]
        assert read == plain
    assert template._frames is not None
    assert template._lengths_left == 14


def test_a_producer_whose_bodies_change_their_length_all_the_time_has_no_pattern_made_for_ever() -> None:
    template = template_of(b"dedup-id:i%d\ncontent-length:5\nreceipt:r\ntrace:t%d")
    for size in range(100):
        data = same_length(0, 70, size)
        assert read_run(template, data)[1] == len(data)
    assert template._lengths_left == 0
