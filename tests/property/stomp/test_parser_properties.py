"""What holds for the parser whatever clients send and however it is cut."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.stomp import head_run, head_template
from segue.protocols.stomp.events import ACK, ERROR, FRAME, SEND, Event
from segue.protocols.stomp.frames import BROKER_HEADERS, Version, read_block
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.parser import Parser
from tests.property.stomp.conversations import (
    Said,
    conversations,
    cut,
    mutations,
    producers,
    turning_producers,
    varying_producers,
    versions,
)
from tests.unit.protocols.stomp.wire import NOT_CACHED, comparable, connect, connect_frame, feed

any_producers = st.one_of(producers(), turning_producers(), varying_producers())
STAYS = BROKER_HEADERS | {"receipt", "transaction", "content-length"}


def first_of_each(said: Said) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in said.headers:
        headers.setdefault(name, value)
    return headers


def agrees(event: Event, said: Said) -> bool:
    """Whether an event says what the client said."""
    headers = first_of_each(said)
    if event[0] == SEND:
        travelling = [(name, value) for name, value in headers.items() if name not in STAYS]
        meant = {name: value for name, value in headers.items() if name not in ("receipt", "content-length")}
        _, head, receipt, body = event
        return (
            (said.command, head.headers, body) == ("SEND", meant, said.body)
            and read_block(head.block) == travelling
            and (receipt is None) == ("receipt" not in headers)
        )
    if event[0] == ACK:
        return said.command == "ACK" and event[1].decode() == headers["id"]
    return event[0] == FRAME and (event[1].command, event[1].headers) == (said.command, headers)


@given(st.data(), versions)
def test_what_was_said_comes_out_however_it_is_cut(data: st.DataObject, version: Version) -> None:
    conversation = data.draw(conversations(version))
    wire = b"".join(said.wire for said in conversation)
    for limits in (Limits(), NOT_CACHED):
        events = feed(connect(version, limits), data.draw(cut(wire)))
        assert len(events) == len(conversation)
        assert all(agrees(event, said) for event, said in zip(events, conversation, strict=True))


@given(st.data(), any_producers, versions)
def test_the_shortcuts_say_what_the_full_reader_says(data: st.DataObject, original: bytes, version: Version) -> None:
    wire = data.draw(st.one_of(st.just(original), mutations(original)))
    plain = connect(version, NOT_CACHED).receive_data(wire)
    assert comparable(connect(version).receive_data(wire)) == comparable(plain)
    pieces = data.draw(cut(wire))
    assert comparable(feed(connect(version), pieces)) == comparable(feed(connect(version, NOT_CACHED), pieces))


@given(st.data(), any_producers, versions)
def test_a_run_of_frames_says_what_the_full_reader_says(data: st.DataObject, original: bytes, version: Version) -> None:
    warm, plain = connect(version), connect(version, NOT_CACHED)
    with patch.object(head_run, "_REPEATS_MIN", 4), patch.object(head_template, "_SAME_LENGTH_MIN", 2):
        for wire in (original, original, original, data.draw(mutations(original))):
            assert comparable(warm.receive_data(wire)) == comparable(plain.receive_data(wire))


@given(st.data(), any_producers, versions)
def test_a_warm_cache_says_what_the_full_reader_says(data: st.DataObject, original: bytes, version: Version) -> None:
    warm, plain = connect(version), connect(version, NOT_CACHED)
    for _ in range(2):
        assert comparable(warm.receive_data(original)) == comparable(plain.receive_data(original))
    wire = data.draw(mutations(original))
    assert comparable(warm.receive_data(wire)) == comparable(plain.receive_data(wire))


@given(st.data(), producers(), versions)
def test_a_cut_changes_neither_the_events_nor_whether_there_is_an_error(
    data: st.DataObject, original: bytes, version: Version
) -> None:
    wire = data.draw(mutations(original))
    whole = connect(version).receive_data(wire)
    pieces = feed(connect(version), data.draw(cut(wire)))
    # Which rule is found broken first may depend on what has come; that one is broken does not.
    assert [event[0] for event in pieces] == [event[0] for event in whole]
    assert [event for event in pieces if event[0] != ERROR] == [event for event in whole if event[0] != ERROR]


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=6), versions)
def test_only_events_ever_come_out_of_random_octets(reads: list[bytes], version: Version) -> None:
    for parser in (Parser(Limits()), connect(version)):
        events = feed(parser, reads)
        assert all(event[0] in (SEND, ACK, FRAME) for event in events[:-1])
        assert parser.bytes_held <= sum(map(len, reads))
        assert parser.receive_data(b"") == []


@given(st.data(), versions)
def test_only_events_ever_come_out_of_a_login_that_is_wrong(data: st.DataObject, version: Version) -> None:
    wire = data.draw(mutations(connect_frame(version)))
    parser = Parser(Limits())
    kinds = [event[0] for event in feed(parser, data.draw(cut(wire)))]
    assert kinds in ([], [FRAME], [ERROR], [FRAME, ERROR], [FRAME, FRAME], [FRAME, FRAME, ERROR])


@given(st.data(), producers())
def test_nothing_comes_after_an_error(data: st.DataObject, original: bytes) -> None:
    parser = connect()
    events = parser.receive_data(original + b"nonsense\n\n\0")
    assert [event[0] for event in events].count(ERROR) == 1
    assert events[-1][0] == ERROR
    assert feed(parser, data.draw(cut(original))) == []
    assert parser.bytes_held == 0
