"""What holds for header text, blocks, destinations and options, whatever they are."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.names import NAME_BYTES_MAX
from segue.protocols.stomp.destination import Dialect, Use, parse_destination
from segue.protocols.stomp.errors import StompProtocolError, quote
from segue.protocols.stomp.escaping import escape_name, escape_value, unescape
from segue.protocols.stomp.events import SEND
from segue.protocols.stomp.frames import Version, encode_block, payload_prefix, read_block, recode_payload
from segue.protocols.stomp.header_rules import RULES
from segue.protocols.stomp.headers import read_ack, read_connect, read_send, read_subscribe, read_unsubscribe
from segue.protocols.stomp.heart_beat import negotiate_heart_beat, read_heart_beat
from tests.property.stomp.conversations import headers_of, versions
from tests.unit.protocols.stomp.wire import connect, frame_of

T = TypeVar("T")
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")

texts = st.text(
    st.one_of(st.sampled_from("\\:\r\n cnr"), st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)


@given(texts)
def test_1_2_can_say_everything(text: str) -> None:
    assert unescape(escape_value(text, Version.V1_2), Version.V1_2) == text
    assert unescape(escape_name(text, Version.V1_2), Version.V1_2) == text


@given(texts, versions)
def test_escaped_text_is_one_line_and_a_name_has_no_colon(text: str, version: Version) -> None:
    assert not set(escape_value(text, version)) & set("\r\n")
    assert not set(escape_name(text, version)) & set("\r\n:")


def outcome(attempt: Callable[[], T]) -> T | StompProtocolError:
    """What an attempt returns, or the protocol error that it ends with; nothing else may come out of it."""
    try:
        return attempt()
    except StompProtocolError as failure:
        return failure


@given(texts, versions)
def test_unescaping_gives_text_or_a_protocol_error(text: str, version: Version) -> None:
    decoded = outcome(lambda: unescape(text, version))
    if isinstance(decoded, str):
        assert len(decoded) <= len(text)
    else:
        assert "\\" in text
        assert version is not Version.V1_0


@given(st.lists(st.tuples(texts.filter(bool), texts)))
def test_a_block_reads_as_it_was_written(headers: list[tuple[str, str]]) -> None:
    block = encode_block(headers)
    kept = read_block(block)
    assert [pair for pair in headers if pair in kept] == kept
    assert block.count(b"\n") == len(kept)


@given(st.data(), versions, versions)
def test_a_message_keeps_its_headers_from_version_to_version(
    data: st.DataObject, sender: Version, receiver: Version
) -> None:
    """Read back by the parser of the receiver's version: a MESSAGE's lines are like those of a SEND."""
    headers = data.draw(headers_of(sender))
    lines = [f"{escape_name(name, sender)}:{escape_value(value, sender)}" for name, value in headers]
    (event,) = connect(sender).receive_data(frame_of("SEND", "destination:/queue/a", *lines))
    assert event[0] == SEND
    payload = payload_prefix(event[1].block, 3) + b"a\0b"
    (copy,) = connect(receiver).receive_data(b"SEND\n" + recode_payload(payload, receiver) + b"\0")
    assert copy[0] == SEND
    assert copy[3] == b"a\0b"
    assert list(copy[1].headers.items()) == said_in(read_block(event[1].block), receiver)


def said_in(headers: list[tuple[str, str]], version: Version) -> list[tuple[str, str]]:
    """Headers as a version can say them, the first of those that become one."""
    beyond = {Version.V1_2: "", Version.V1_1: "\r", Version.V1_0: "\r\n"}[version]
    spaces = str.maketrans(dict.fromkeys(beyond, " "))
    said: dict[str, str] = {}
    for name, value in headers:
        name_said, value_said = name.translate(spaces), value.translate(spaces)
        if version is Version.V1_0:
            name_said, value_said = name_said.replace(":", " "), value_said.lstrip(" ")
        said.setdefault(name_said, value_said)
    return list(said.items())


prefixes = st.sampled_from(["", "/queue/", "/topic/", "/exchange/", "/temp-queue/", "/amq/queue/", "/queue", "/"])


@given(prefixes, st.text(), st.sampled_from(Use), st.sampled_from(Dialect))
def test_a_destination_is_a_good_name_or_a_protocol_error(prefix: str, rest: str, use: Use, dialect: Dialect) -> None:
    destination = outcome(lambda: parse_destination(prefix + rest, use, dialect=dialect))
    if isinstance(destination, StompProtocolError):
        assert destination.body.replace("\n", "").isprintable()
        return
    name = destination.name
    assert 1 <= len(name.encode()) <= NAME_BYTES_MAX
    assert not any(unicodedata.category(character) in INVISIBLE for character in name)
    assert unicodedata.normalize("NFC", name) == name
    assert not (destination.is_pattern and use is Use.SEND)


@given(st.text(min_size=1).filter(str.isalnum))
def test_spellings_of_a_name_are_one_queue(name: str) -> None:
    spellings = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    named = [outcome(lambda: parse_destination(f"/queue/{spelling}", Use.SEND).name) for spelling in spellings]  # noqa: B023
    if len(unicodedata.normalize("NFC", name).encode()) <= NAME_BYTES_MAX:
        assert set(named) == {unicodedata.normalize("NFC", name)}
    else:
        assert all(isinstance(name, StompProtocolError) for name in named)


values = st.one_of(st.sampled_from(["", "true", "false", "0", "1", "-1", "auto", "client"]), st.text(max_size=20))
options = st.dictionaries(st.sampled_from([rule.name for rule in RULES]), values, max_size=6)


@given(options, versions)
def test_headers_are_options_or_a_protocol_error(headers: dict[str, str], version: Version) -> None:
    readers: list[Callable[[], object]] = [
        lambda: read_connect(headers),
        lambda: read_send(headers),
        lambda: read_send(headers, Dialect.RABBITMQ),
        lambda: read_subscribe(headers, version),
        lambda: read_unsubscribe(headers, version),
        lambda: read_ack(headers, version, "ACK"),
    ]
    for reader in readers:
        options = outcome(reader)
        assert not isinstance(options, StompProtocolError) or options.body


@given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,20},[0-9]{1,20}", fullmatch=True)))
def test_heart_beats_are_within_bounds_or_a_protocol_error(text: str) -> None:
    client = outcome(lambda: read_heart_beat(text))
    if isinstance(client, StompProtocolError):
        assert client.body.isprintable()
        return
    agreed = negotiate_heart_beat(client, 1000, 60_000)
    assert agreed.send_milliseconds == 0 or 1000 <= agreed.send_milliseconds <= 60_000
    assert agreed.receive_milliseconds == 0 or client[0] <= agreed.receive_milliseconds <= 60_000


@given(st.text())
def test_quoted_text_is_short_and_printable(text: str) -> None:
    assert quote(text).isprintable()
    assert len(quote(text)) <= 101
