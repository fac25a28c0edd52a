"""The parser on whole frames: every rule of the three specifications about what a frame is."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompMisuseError
from segue.protocols.stomp.events import ACK, ERROR, FRAME, SEND
from segue.protocols.stomp.frames import CLIENT_COMMANDS, Frame, Version
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser
from tests.unit.protocols.stomp.wire import NOT_CACHED, connect, frame_of, parse, send, the_error, the_frame

EVERY_VERSION = pytest.mark.parametrize("version", Version, ids=lambda version: version.text)
EITHER_WAY = pytest.mark.parametrize("limits", [Limits(), NOT_CACHED], ids=["cached", "not cached"])


def test_a_connect_frame_is_an_event_with_its_headers() -> None:
    frame = the_frame(Parser(Limits()).receive_data(b"CONNECT\naccept-version:1.0,1.2\nhost:vhost\n\n\0"))
    assert frame == Frame("CONNECT", {"accept-version": "1.0,1.2", "host": "vhost"}, b"")


def test_what_follows_a_connect_frame_is_held_until_the_version_is_known() -> None:
    parser = Parser(Limits())
    held = frame_of("SUBSCRIBE", "id:a\\rb", "destination:/queue/a")
    assert len(parser.receive_data(b"CONNECT\n\n\0" + held[:9])) == 1
    assert parser.receive_data(held[9:]) == []
    assert parser.bytes_held == len(held)
    assert the_frame(parser.resume(Version.V1_2)).headers["id"] == "a\rb"
    assert parser.bytes_held == 0


@pytest.mark.parametrize("command", ["CONNECT", "STOMP"])
def test_connect_is_not_unescaped(command: str) -> None:
    frame = the_frame(Parser(Limits()).receive_data(f"{command}\naccept-version:1.2\npasscode:a\\tb\\n\n\n\0".encode()))
    assert frame.headers["passcode"] == "a\\tb\\n"


def test_spaces_before_a_value_of_connect_belong_to_it_unless_the_client_is_one_of_1_0() -> None:
    assert the_frame(Parser(Limits()).receive_data(b"CONNECT\nlogin: a \n\n\0")).headers["login"] == "a "
    later = Parser(Limits()).receive_data(b"CONNECT\naccept-version:1.1\nlogin: a \n\n\0")
    assert the_frame(later).headers["login"] == " a "


@EITHER_WAY
@EVERY_VERSION
def test_a_send_frame_carries_head_receipt_and_body(version: Version, limits: Limits) -> None:
    (event,) = parse(send("receipt:77", "kind:x", body=b"hello"), version, limits)
    assert event[0] == SEND
    _, head, receipt, body = event
    assert (head.destination, receipt, body) == ("/queue/a", b"77", b"hello")
    assert head.headers == {"destination": "/queue/a", "kind": "x"}
    assert head.block == b"destination:/queue/a\nkind:x\n"
    assert head.transaction is None


@EITHER_WAY
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_receipt_may_stand_anywhere_in_the_head(place: int, limits: Limits) -> None:
    parser = connect(limits=limits)
    lines = ["destination:/queue/a", "kind:x"]
    for number in range(5):
        frame = frame_of("SEND", *lines[:place], f"receipt:r-{number}", *lines[place:])
        (event,) = parser.receive_data(frame)
        assert event[0] == SEND
        assert event[2] == b"r-%d" % number
        assert event[1].block == b"destination:/queue/a\nkind:x\n"


def test_heads_that_repeat_are_one_object_whatever_their_receipts_and_lengths() -> None:
    parser = connect()
    frames = [send(f"content-length:{n}", f"receipt:{n}", body=b"x" * n) for n in range(9)]
    heads = [event[1] for event in parser.receive_data(b"".join(frames)) if event[0] == SEND]
    assert len(heads) == 9
    assert len({id(head) for head in heads[1:]}) == 1


@EITHER_WAY
def test_an_empty_receipt_is_a_receipt(limits: Limits) -> None:
    (event,) = parse(send("receipt:"), limits=limits)
    assert event[0] == SEND
    assert event[2] == b""


@EITHER_WAY
def test_a_receipt_is_kept_as_it_came(limits: Limits) -> None:
    raw = b"caf\xc3\xa9\\ca:b c"
    parser = connect(limits=limits)
    for _ in range(3):
        events = parser.receive_data(
            b"SEND\ndestination:/queue/a\nreceipt:%b\n\n\0BEGIN\ntransaction:t\nreceipt:%b\n\n\0" % (raw, raw)
        )
        assert events[0][0] == SEND
        assert events[0][2] == raw
        assert events[1][0] == FRAME
        assert events[1][1].receipt == raw
        assert events[1][1].headers["receipt"] == "café:a:b c"


@EITHER_WAY
def test_fault_65_the_first_of_repeated_headers_wins(limits: Limits) -> None:
    frame = send(
        "destination:/queue/b",
        "k:1",
        "k:2",
        "receipt:1",
        "receipt:2",
        "content-length:2",
        "content-length:9",
        body=b"ab",
    )
    parser = connect(limits=limits)
    for _ in range(3):
        (event,) = parser.receive_data(frame)
        assert event[0] == SEND
        assert (event[1].destination, event[2], event[3]) == ("/queue/a", b"1", b"ab")
        assert event[1].block == b"destination:/queue/a\nk:1\n"


def test_what_only_the_broker_may_say_does_not_travel() -> None:
    forged = [
        "message-id:1",
        "subscription:2",
        "ack:3",
        "redelivered:true",
        "x-delivery-count:9",
        "receipt-id:4",
        "browser:end",
    ]
    (event,) = parse(send(*forged, "transaction:t", "reply-to:/temp-queue/a"))
    assert event[0] == SEND
    assert event[1].block == b"destination:/queue/a\nreply-to:/temp-queue/a\n"
    assert event[1].transaction == "t"
    assert event[1].headers["message-id"] == "1"


@EVERY_VERSION
def test_a_value_may_hold_colons(version: Version) -> None:
    (event,) = parse(send("url:http://a:80/"), version)
    assert event[0] == SEND
    assert event[1].headers["url"] == "http://a:80/"
    assert event[1].block == b"destination:/queue/a\nurl:http\\c//a\\c80/\n"


def test_a_backslash_is_an_octet_in_1_0_and_written_as_two_later() -> None:
    (event,) = parse(send("path:C:\\temp"), Version.V1_0)
    assert event[0] == SEND
    assert event[1].headers["path"] == "C:\\temp"
    assert event[1].block == b"destination:/queue/a\npath:C\\c\\\\temp\n"


def test_leading_spaces_of_values_are_dropped_in_1_0_alone() -> None:
    for version, value in ((Version.V1_0, "b "), (Version.V1_1, "  b "), (Version.V1_2, "  b ")):
        assert the_frame(parse(frame_of("BEGIN", "transaction:  b "), version)).headers["transaction"] == value


@EITHER_WAY
@EVERY_VERSION
def test_lines_may_end_with_crlf(version: Version, limits: Limits) -> None:
    data = frame_of("SEND", "destination:/queue/a", "content-length:3", "receipt:7", body=b"a\0b", line_end="\r\n")
    events = parse(data * 3 + frame_of("ABORT", "transaction:t", line_end="\r\n"), version, limits)
    assert [event[0] for event in events] == [SEND, SEND, SEND, FRAME]
    for event in events[:3]:
        assert event[0] == SEND
        assert (event[1].headers, event[2], event[3]) == ({"destination": "/queue/a"}, b"7", b"a\0b")
        assert event[1].block == b"destination:/queue/a\n"


@pytest.mark.parametrize(
    "head", [b"BEGIN\r\ntransaction:a\n\n", b"BEGIN\ntransaction:a\r\n\n", b"BEGIN\ntransaction:a\n\r\n"]
)
def test_line_ends_may_be_mixed(head: bytes) -> None:
    assert the_frame(parse(head + b"\0")).headers == {"transaction": "a"}


def test_a_body_of_a_crlf_client_may_begin_with_line_ends() -> None:
    (event,) = parse(frame_of("SEND", "destination:/queue/a", body=b"\n\n\r\n", line_end="\r\n"))
    assert event[0] == SEND
    assert event[3] == b"\n\n\r\n"


def test_a_blank_line_in_a_body_is_not_taken_for_the_end_of_the_head() -> None:
    parser = connect()
    for head in (b"SEND\ndestination:/queue/a\n\r\n", b"SEND\r\ndestination:/queue/a\r\n\r\n"):
        for _ in range(4):
            (event,) = parser.receive_data(head + b"to\nreceipt:you\n\nbody\0")
            assert event[0] == SEND
            assert (event[2], event[3]) == (None, b"to\nreceipt:you\n\nbody")


def test_fault_65_another_carriage_return_is_wrong_in_1_2_and_an_octet_before() -> None:
    frame = b"SEND\ndestination:/queue/a\nk:a\rb\n\n\0"
    assert the_error(parse(frame)).code is ErrorCode.BAD_HEADER
    for version in (Version.V1_0, Version.V1_1):
        (event,) = parse(frame, version)
        assert event[0] == SEND
        assert event[1].headers["k"] == "a\rb"
        assert event[1].block == b"destination:/queue/a\nk:a\\rb\n"


@EITHER_WAY
@pytest.mark.parametrize("between", [b"", b"\n", b"\r\n", b"\n\n\n", b"\0", b"\r\n\0\n"])
def test_line_ends_and_nuls_between_frames_are_skipped(between: bytes, limits: Limits) -> None:
    data = between.join(
        [b"", send("receipt:1"), frame_of("ACK", "id:1"), send("receipt:1"), frame_of("BEGIN", "transaction:t"), b""]
    )
    assert [event[0] for event in parse(data, limits=limits)] == [SEND, ACK, SEND, FRAME]


def test_line_ends_before_connect_are_skipped() -> None:
    assert the_frame(Parser(Limits()).receive_data(b"\r\n\n\0CONNECT\n\n\0")).command == "CONNECT"


@EITHER_WAY
@pytest.mark.parametrize("length", ["3", "0003"])
def test_fault_64_a_body_of_known_length_may_hold_nuls(length: str, limits: Limits) -> None:
    parser = connect(limits=limits)
    for _ in range(3):
        (event,) = parser.receive_data(send(f"content-length:{length}", body=b"\0\0\n"))
        assert event[0] == SEND
        assert event[3] == b"\0\0\n"


@EITHER_WAY
@pytest.mark.parametrize("length", ["-1", "+5", "5 ", " 5", "1e9", "0x5", "", "5.0", "٣", "five", "5\\c"])
def test_fault_64_a_length_that_is_no_number_is_refused_at_once(length: str, limits: Limits) -> None:
    events = parse(send(f"content-length:{length}", "receipt:r", body=b"hello")[:-6], limits=limits)
    assert the_error(events).code is ErrorCode.BAD_CONTENT_LENGTH
    assert the_error(events).receipt_id == b"r"


@EITHER_WAY
@pytest.mark.parametrize("length", ["16777217", "1000000000", "9" * 18, "9" * 5000])
def test_fault_64_an_absurd_length_is_refused_at_once(length: str, limits: Limits) -> None:
    parser = connect(limits=limits)
    assert the_error(parser.receive_data(send(f"content-length:{length}")[:-1])).code is ErrorCode.FRAME_TOO_LARGE
    assert parser.bytes_held == 0


@EITHER_WAY
@pytest.mark.parametrize("body", [b"hello", b"hel\0lo"])
def test_fault_64_a_length_that_is_too_small_is_refused(body: bytes, limits: Limits) -> None:
    parser = connect(limits=limits)
    events = parser.receive_data(send("content-length:2", "receipt:r", body=body) + send())
    assert [event[0] for event in events] == [ERROR]
    assert the_error(events).code is ErrorCode.BAD_CONTENT_LENGTH
    assert the_error(events).receipt_id == b"r"


def test_a_space_before_the_length_is_dropped_in_1_0() -> None:
    (event,) = parse(send("content-length: 3", body=b"a\0b"), Version.V1_0)
    assert event[0] == SEND
    assert event[3] == b"a\0b"


@EVERY_VERSION
@pytest.mark.parametrize("command", sorted(CLIENT_COMMANDS - {"SEND", "CONNECT", "STOMP"}))
def test_content_length_means_nothing_on_a_frame_that_has_no_body(command: str, version: Version) -> None:
    frame = frame_of(command, "id:1", "message-id:1", "transaction:t", "content-length:8511")
    assert the_frame(parse(frame, version)).command == command


def test_the_body_of_a_subscribe_is_read_over() -> None:
    events = parse(frame_of("SUBSCRIBE", "destination:/queue/a", body=b"old habits") + send(), Version.V1_0)
    assert [event[0] for event in events] == [FRAME, SEND]


@EITHER_WAY
def test_an_ack_of_1_2_with_id_and_receipt_alone_is_a_short_event(limits: Limits) -> None:
    data = frame_of("ACK", "id:a-1") + frame_of("ACK", "id:a-2", "receipt:r") + frame_of("ACK", "receipt:r", "id:a-3")
    assert parse(data, limits=limits) == [(ACK, b"a-1", None), (ACK, b"a-2", b"r"), (ACK, b"a-3", b"r")]


@EITHER_WAY
@pytest.mark.parametrize("line", ["transaction:t", "subscription:s", "content-length:3"])
def test_an_ack_with_more_headers_is_a_frame(line: str, limits: Limits) -> None:
    assert the_frame(parse(frame_of("ACK", "id:a-1", line), limits=limits)).headers["id"] == "a-1"


@EITHER_WAY
def test_an_ack_with_an_id_longer_than_any_of_ours_is_a_frame(limits: Limits) -> None:
    assert the_frame(parse(frame_of("ACK", f"id:{'9' * 256}"), limits=limits)).headers["id"] == "9" * 256


@EITHER_WAY
def test_an_ack_without_id_is_a_frame(limits: Limits) -> None:
    assert the_frame(parse(frame_of("ACK", "receipt:1"), limits=limits)).headers == {"receipt": "1"}


@pytest.mark.parametrize("version", [Version.V1_0, Version.V1_1])
def test_an_ack_before_1_2_is_a_frame(version: Version) -> None:
    assert the_frame(parse(frame_of("ACK", "id:a-1"), version)).command == "ACK"


@EITHER_WAY
@pytest.mark.parametrize("ack_id", ["a\\cb", "é", "a b", "a:b", " a", "x" * 255])
def test_the_id_of_an_ack_is_decoded(ack_id: str, limits: Limits) -> None:
    assert parse(frame_of("ACK", f"id:{ack_id}"), limits=limits) == [(ACK, ack_id.replace("\\c", ":").encode(), None)]


@pytest.mark.parametrize(
    "line", ["send", "Send", "SENDX", " SEND", "SEND ", "", "GET / HTTP/1.1", "\x16\x03\x01", "x" * 200]
)
def test_fault_66_an_unknown_command_is_refused_as_soon_as_its_line_is_over(line: str) -> None:
    events = connect().receive_data(b"X"[: not line] + line.encode() + b"\n")
    failure = the_error(events)
    assert failure.code is ErrorCode.BAD_COMMAND
    assert failure.body.startswith('Could not interpret command "')


def test_octets_that_never_end_a_line_are_refused() -> None:
    assert the_error(Parser(Limits()).receive_data(b"\x80" * 40)).code is ErrorCode.BAD_COMMAND


@pytest.mark.parametrize("line", ["no colon", ":no name", ":"])
def test_a_line_without_name_or_colon_is_refused(line: str) -> None:
    assert the_error(parse(frame_of("BEGIN", "transaction:t", line, "receipt:r"))).code is ErrorCode.BAD_HEADER


def test_an_empty_value_is_a_value() -> None:
    assert the_frame(parse(frame_of("BEGIN", "transaction:"))).headers == {"transaction": ""}


@EITHER_WAY
@pytest.mark.parametrize("octets", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80"])
def test_fault_69_header_text_that_is_not_utf_8_is_refused(octets: bytes, limits: Limits) -> None:
    parser = connect(limits=limits)
    parser.receive_data(send() * 3)
    failure = the_error(parser.receive_data(b"SEND\ndestination:/queue/a\nk:" + octets + b"\nreceipt:r\n\n\0"))
    assert (failure.code, failure.receipt_id) == (ErrorCode.BAD_ENCODING, b"r")


@EITHER_WAY
@pytest.mark.parametrize("sequence", ["\\t", "\\", "\\x", "\\C", "\\\\\\"])
def test_fault_65_an_undefined_escape_is_refused_in_names_and_values(sequence: str, limits: Limits) -> None:
    for version in (Version.V1_1, Version.V1_2):
        for line in (f"k:a{sequence}", f"k{sequence}:a", f"receipt:{sequence}"):
            assert the_error(parse(send(line), version, limits)).code is ErrorCode.BAD_ESCAPE


@EITHER_WAY
def test_a_nul_in_the_head_is_refused_without_waiting_for_the_blank_line(limits: Limits) -> None:
    assert the_error(parse(b"SEND\ndestination:/queue/a\n\0", limits=limits)).code is ErrorCode.BAD_FRAME
    assert the_error(parse(b"SEND\ndestination:/queue/a\0\n\n\0", limits=limits)).code is ErrorCode.BAD_FRAME


def test_a_send_without_destination_is_refused() -> None:
    failure = the_error(parse(frame_of("SEND", "receipt:r", body=b"x")))
    assert (failure.code, failure.receipt_id) == (ErrorCode.MISSING_DESTINATION, b"r")


@EITHER_WAY
def test_events_before_a_bad_frame_are_kept_and_what_follows_is_ignored(limits: Limits) -> None:
    parser = connect(limits=limits)
    data = send("receipt:1") * 3 + frame_of("ACK", "id:1") + b"nonsense\n\n\0" + send() * 3
    assert [event[0] for event in parser.receive_data(data)] == [SEND, SEND, SEND, ACK, ERROR]
    assert parser.receive_data(send()) == []
    assert parser.bytes_held == 0


def test_fault_66_a_send_before_connect_is_a_frame_for_the_state_machine_to_refuse() -> None:
    frame = the_frame(Parser(Limits()).receive_data(send(body=b"x")))
    assert (frame.command, frame.body) == ("SEND", b"x")


def test_fault_66_binary_before_connect_is_refused() -> None:
    assert (
        the_error(Parser(Limits()).receive_data(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")).code
        is ErrorCode.BAD_FRAME
    )


def test_a_second_connect_is_a_frame_like_any_other() -> None:
    events = parse(b"CONNECT\naccept-version:1.2\n\n\0" + send())
    assert [event[0] for event in events] == [FRAME, SEND]


def test_the_end_of_the_input_forgets_half_a_frame() -> None:
    parser = connect()
    assert parser.receive_data(send(body=b"hello")[:-3]) == []
    assert parser.bytes_held > 0
    assert parser.receive_data(b"") == []
    assert parser.bytes_held == 0
    assert parser.receive_data(send()) == []


def test_the_end_of_the_input_may_come_while_the_login_is_checked() -> None:
    parser = Parser(Limits())
    assert len(parser.receive_data(b"CONNECT\n\n\0" + send())) == 1
    assert parser.receive_data(b"") == []
    assert parser.resume(Version.V1_2) == []


def test_between_frames_the_parser_holds_nothing() -> None:
    parser = connect()
    assert parser.bytes_held == 0
    parser.receive_data(b"\n\r\n")
    assert parser.bytes_held == 0
    parser.receive_data(b"SEN")
    assert parser.bytes_held == 3
    parser.receive_data(b"D\ndestination:/queue/a\n\n\0")
    assert parser.bytes_held == 0


def test_resume_is_for_a_parser_that_has_stopped() -> None:
    with pytest.raises(StompMisuseError):
        Parser(Limits()).resume(Version.V1_2)
    with pytest.raises(StompMisuseError):
        connect().resume(Version.V1_2)


def test_any_bytes_like_object_is_taken() -> None:
    parser = connect()
    assert len(parser.receive_data(bytearray(send(body=b"x")))) == 1
    assert len(parser.receive_data(memoryview(send(body=b"x"))[:-1])) == 0
    assert len(parser.receive_data(memoryview(b"\0"))) == 1
