"""The frames that a server sends, and the block that carries a message's headers."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import (
    BROKER_HEADERS,
    Frame,
    MessageHead,
    SendHead,
    Version,
    connected,
    encode_block,
    error,
    negotiate,
    payload_prefix,
    read_block,
    receipt_frames,
    recode_block,
    recode_payload,
    replace_header,
    single_frames,
)


def test_connected_is_never_escaped() -> None:
    frame = connected(
        Version.V1_2,
        session="s:1",
        server="Segue/1.0",
        heart_beat=(1000, 0),
        response_id="a\\b:c\nd",
    )
    assert frame == (
        b"CONNECTED\nversion:1.2\nheart-beat:1000,0\nsession:s:1\nserver:Segue/1.0\nresponse-id:a\\b:c d\n\n\0"
    )


def test_connected_has_a_response_id_only_where_one_was_asked_for() -> None:
    frame = connected(Version.V1_0, session="1", server="Segue/1.0", heart_beat=(0, 0))
    assert frame == b"CONNECTED\nversion:1.0\nheart-beat:0,0\nsession:1\nserver:Segue/1.0\n\n\0"


def test_receipts_are_echoed_as_they_came() -> None:
    frames = receipt_frames([b"a\\cb", b"2"])
    assert frames == b"RECEIPT\nreceipt-id:a\\cb\n\n\0RECEIPT\nreceipt-id:2\n\n\0"
    assert single_frames(frames) == [b"RECEIPT\nreceipt-id:a\\cb\n\n\0", b"RECEIPT\nreceipt-id:2\n\n\0"]
    assert single_frames(b"MESSAGE\n\na\0b\0") == [b"MESSAGE\n\na\0b\0"]


def test_an_error_names_code_text_and_receipt() -> None:
    failure = StompProtocolError(ErrorCode.BAD_FRAME, "caf\u00e9", receipt=b"7", headers=(("version", "1.0,1.1"),))
    assert error(failure, Version.V1_2) == (
        b"ERROR\nreceipt-id:7\nmessage:Bad frame\nerror-code:bad-frame\nversion:1.0,1.1\n"
        b"content-type:text/plain\ncontent-length:5\n\ncaf\xc3\xa9\0"
    )


def test_an_error_is_escaped_for_its_receiver() -> None:
    failure = StompProtocolError(ErrorCode.BAD_FRAME, "", message="a:b\nc")
    assert b"\nmessage:a\\cb\\nc\n" in error(failure, Version.V1_2)
    assert b"\nmessage:a:b c\n" in error(failure, None)


def test_an_error_survives_text_that_has_no_utf_8() -> None:
    assert b"content-length:1\n\n?\0" in error(StompProtocolError(ErrorCode.BAD_FRAME, "\ud800"), Version.V1_2)


@pytest.mark.parametrize(
    ("accepted", "version"),
    [
        (None, Version.V1_0),
        ("1.0", Version.V1_0),
        ("1.2,1.1,1.0", Version.V1_2),
        ("1.0,1.1", Version.V1_1),
        (" 1.1 , 7.0,\t1.0", Version.V1_1),
        ("1.3,1.1", Version.V1_1),
        ("1.2,", Version.V1_2),
    ],
)
def test_the_highest_common_version_is_chosen(accepted: str | None, version: Version) -> None:
    assert negotiate(accepted) is version


@pytest.mark.parametrize("accepted", ["", "2.0", "1", "1.20", "1.1;1.2", "1.10"])
def test_no_common_version_is_an_error_that_lists_ours(accepted: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        negotiate(accepted)
    assert refused.value.code is ErrorCode.VERSION_MISMATCH
    assert refused.value.body == "Supported versions are 1.0,1.1,1.2"
    assert b"\nversion:1.0,1.1,1.2\n" in error(refused.value, None)


def test_a_message_of_1_2_has_an_ack_header_where_it_is_to_be_acknowledged() -> None:
    head = MessageHead(Version.V1_2, "0", acknowledged=True)
    assert head.encode(b"m-1", b"a-1", 1, redelivered=False) == (
        b"MESSAGE\nsubscription:0\nmessage-id:m-1\nack:a-1\nredelivered:false\nx-delivery-count:1\n"
    )
    assert head.encode(b"m-1", b"a-2", 3, redelivered=True) == (
        b"MESSAGE\nsubscription:0\nmessage-id:m-1\nack:a-2\nredelivered:true\nx-delivery-count:3\n"
    )


@pytest.mark.parametrize(
    ("version", "acknowledged"), [(Version.V1_2, False), (Version.V1_1, True), (Version.V1_0, True)]
)
def test_other_messages_have_no_ack_header(version: Version, acknowledged: bool) -> None:
    head = MessageHead(version, "0", acknowledged)
    assert head.encode(b"m", b"a", 1, redelivered=True) == (
        b"MESSAGE\nsubscription:0\nmessage-id:m\nredelivered:true\nx-delivery-count:1\n"
    )


def test_a_subscription_of_1_0_may_have_no_id() -> None:
    assert (
        MessageHead(Version.V1_0, None, True)
        .encode(b"m", b"", 1, redelivered=False)
        .startswith(b"MESSAGE\nmessage-id:m\n")
    )


def test_a_subscription_id_is_escaped_and_no_pattern() -> None:
    head = MessageHead(Version.V1_2, "100%d:%b", acknowledged=False)
    for count in (1, 2):
        assert head.encode(b"m%b", b"", count, redelivered=False).startswith(
            b"MESSAGE\nsubscription:100%d\\c%b\nmessage-id:m%b\n"
        )


def test_a_block_leaves_out_what_does_not_travel() -> None:
    private = [(name, "x") for name in (*BROKER_HEADERS, "receipt", "transaction", "content-length")]
    assert encode_block([("a", "1"), *private, ("b", "2")]) == b"a:1\nb:2\n"


@pytest.mark.parametrize("value", ["plain", "", "a:b", "a\\nb", "a\nb", "a\rb", "caf\u00e9", " a ", "\\", ":"])
def test_a_block_reads_as_it_was_written(value: str) -> None:
    headers = [("destination", "/queue/a"), ("k", value), (value or "n", "v")]
    assert read_block(encode_block(headers)) == headers


def test_an_empty_block_has_no_headers() -> None:
    assert encode_block([]) == b""
    assert read_block(b"") == []


def test_a_header_of_a_block_can_be_replaced() -> None:
    block = encode_block([("destination", "/queue/a"), ("reply-to", "/temp-queue/x"), ("k", "a:b")])
    assert read_block(replace_header(block, "reply-to", "/reply-queue/1:2")) == [
        ("destination", "/queue/a"),
        ("reply-to", "/reply-queue/1:2"),
        ("k", "a:b"),
    ]
    assert replace_header(b"a:1\n", "b", "2") == b"a:1\nb:2\n"


@pytest.mark.parametrize(
    ("version", "recoded"),
    [
        (Version.V1_2, b"a\\cb:1\\r2\\n3\\\\4\\c5\n"),
        (Version.V1_1, b"a\\cb:1 2\\n3\\\\4\\c5\n"),
        (Version.V1_0, b"a b:1 2 3\\4:5\n"),
    ],
)
def test_a_block_is_recoded_for_its_receiver(version: Version, recoded: bytes) -> None:
    assert recode_block(b"a\\cb:1\\r2\\n3\\\\4\\c5\n", version) == recoded


def test_no_header_can_be_forged_by_an_escaped_name() -> None:
    block = encode_block([("subscription:9", "x"), ("k", "v\nack:1"), ("message-id\nack:1\nk", "v")])
    for version in Version:
        lines = recode_block(block, version).split(b"\n")[:-1]
        assert len(lines) == 3
        assert {line.partition(b":")[0] for line in lines}.isdisjoint({b"subscription", b"ack", b"message-id"})


def test_a_plain_block_is_the_same_in_every_version() -> None:
    block = encode_block([("destination", "/queue/a"), ("k", "caf\u00e9 x")])
    assert {recode_block(block, version) for version in Version} == {block}


@pytest.mark.parametrize("body", [b"", b"a\\cb\n\n\0", b"\n\n"])
def test_recoding_a_payload_leaves_its_body_alone(body: bytes) -> None:
    plain = b"destination:/queue/a\ncontent-length:%d\n\n%b" % (len(body), body)
    assert {recode_payload(plain, version) for version in Version} == {plain}
    escaped = b"k:a\\cb\ncontent-length:%d\n\n%b" % (len(body), body)
    assert recode_payload(escaped, Version.V1_0) == b"k:a:b\ncontent-length:%d\n\n%b" % (len(body), body)
    assert recode_payload(escaped, Version.V1_1) == escaped


def test_a_payload_without_headers_has_a_length() -> None:
    assert recode_payload(b"content-length:1\n\n\\", Version.V1_0) == b"content-length:1\n\n\\"


def head_of(**headers: str) -> SendHead:
    return SendHead(
        {"destination": "/queue/a", **headers}, encode_block([("destination", "/queue/a"), *headers.items()])
    )


def test_a_payload_begins_with_block_and_length() -> None:
    block = head_of(kind="x").block
    assert payload_prefix(block, 12) == b"destination:/queue/a\nkind:x\ncontent-length:12\n\n"


def test_a_head_knows_its_transaction() -> None:
    assert head_of(transaction="t").transaction == "t"
    assert head_of(k="a b").transaction is None


def test_frames_and_heads_are_equal_by_what_they_say() -> None:
    assert Frame("ACK", {"id": "1"}, b"") == Frame("ACK", {"id": "1"}, b"")
    assert Frame("ACK", {"id": "1"}, b"") != Frame("ACK", {"id": "2"}, b"")
    assert Frame("ACK", {}, b"") != "ACK"
    assert head_of(k="1") == head_of(k="1")
    assert head_of(k="1") != head_of(k="2")
    assert head_of() != "SEND"
    assert repr(Frame("ACK", {"id": "1"}, b"", b"r")) == "Frame('ACK', {'id': '1'}, b'', b'r')"
    assert repr(head_of()) == "SendHead({'destination': '/queue/a'}, b'destination:/queue/a\\n')"
