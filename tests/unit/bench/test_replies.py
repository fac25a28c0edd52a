"""Counting and cutting of replies, whatever the reads are."""

import pytest

from segue.bench.replies import BrokerError, FrameCutter, count_receipts, deliveries, raise_error_frame

RECEIPTS = b"".join(b"RECEIPT\nreceipt-id:%d\n\n\0\n" % number for number in range(5))
MESSAGES = b"".join(
    b"MESSAGE\nsubscription:0\nack:T_0@@s@@%d\nredelivered:%b\n\n#000100002%09d abc\0\n"
    % (number, b"true" if number == 1 else b"false", number)
    for number in range(3)
)


def test_receipts_are_counted_wherever_the_reads_split_them() -> None:
    for split in range(len(RECEIPTS) + 1):
        cutter = FrameCutter()
        assert sum(count_receipts(cutter.feed(part)) for part in (RECEIPTS[:split], RECEIPTS[split:])) == 5, split


def test_messages_are_found_wherever_the_reads_split_them() -> None:
    for split in range(len(MESSAGES) + 1):
        cutter = FrameCutter()
        found = [deliveries(cutter.feed(part)) for part in (MESSAGES[:split], MESSAGES[split:])]
        assert [ack_id for part in found for ack_id in part.ack_ids] == [b"T_0@@s@@%d" % n for n in range(3)], split
        assert [key for part in found for key in part.keys] == [1_00002_000000000 + n for n in range(3)], split
        assert sum(part.redelivered for part in found) == 1, split


def test_messages_are_found_when_octets_come_one_by_one() -> None:
    cutter = FrameCutter()
    whole = b"".join(cutter.feed(MESSAGES[index : index + 1]) for index in range(len(MESSAGES)))
    assert len(deliveries(whole).ack_ids) == 3


def test_what_follows_the_last_whole_frame_waits() -> None:
    cutter = FrameCutter()
    assert cutter.feed(b"RECEIPT\nreceipt-id:1\n\n\0RECE") == b"RECEIPT\nreceipt-id:1\n\n\0"
    assert cutter.feed(b"IPT\nreceipt-id:2\n\n\0") == b"RECEIPT\nreceipt-id:2\n\n\0"


def test_a_frame_without_end_is_an_error_and_not_a_full_memory() -> None:
    cutter = FrameCutter()
    for _ in range(64):
        cutter.feed(b"x" * 1024 * 1024)
    with pytest.raises(BrokerError, match="a frame of more than"):
        cutter.feed(b"x")


def test_lines_that_end_with_carriage_returns_are_understood() -> None:
    found = deliveries(MESSAGES.replace(b"\n", b"\r\n"))
    assert (found.ack_ids, found.keys) == (deliveries(MESSAGES).ack_ids, deliveries(MESSAGES).keys)


def test_a_message_of_somebody_else_is_acknowledged_but_has_no_key() -> None:
    found = deliveries(b"MESSAGE\nack:9\n\nhello #12 \0")
    assert (found.ack_ids, found.keys) == ([b"9"], [])


def test_an_error_frame_raises_the_words_of_the_broker() -> None:
    frame = RECEIPTS + b"ERROR\nmessage:not_found\ncontent-type:text/plain\n\nno queue 'x'\nin vhost\0"
    with pytest.raises(BrokerError, match=r"^ERROR: not_found: no queue 'x' in vhost$"):
        raise_error_frame(frame)


def test_an_error_without_a_message_header_raises_its_body() -> None:
    with pytest.raises(BrokerError, match=r"^ERROR: too bad$"):
        raise_error_frame(b"ERROR\r\nversion:1.2\r\n\r\ntoo bad\0\n")


def test_the_word_error_in_a_body_is_no_error() -> None:
    raise_error_frame(b"MESSAGE\nack:1\n\nERROR\nmessage:mine\n\0")
