"""Escape sequences of the three versions."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.escaping import Version, escape_name, escape_value, unescape


def test_a_version_is_written_as_on_the_wire() -> None:
    assert [version.text for version in Version] == ["1.0", "1.1", "1.2"]
    assert max(Version) is Version.V1_2


@pytest.mark.parametrize(
    ("version", "wire"),
    [(Version.V1_2, "a\\rb\\nc\\cd\\\\e"), (Version.V1_1, "a b\\nc\\cd\\\\e"), (Version.V1_0, "a b c:d\\e")],
)
def test_a_value_is_written_as_its_version_can(version: Version, wire: str) -> None:
    assert escape_value("a\rb\nc:d\\e", version) == wire


def test_a_colon_in_a_name_of_1_0_becomes_a_space() -> None:
    assert escape_name("subscription:1", Version.V1_0) == "subscription 1"
    assert escape_name("subscription:1", Version.V1_1) == "subscription\\c1"


@pytest.mark.parametrize("version", Version)
def test_a_nul_is_never_written(version: Version) -> None:
    assert "\0" not in escape_value("a\0b", version) + escape_name("a\0b", version)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (Version.V1_2, "\r|\n|:|\\|\\n"),
        (Version.V1_1, "\n|:|\\|\\n|\\r"),
        (Version.V1_0, ":|\\|\\n|\\r"),
    ],
)
def test_what_was_written_reads_the_same(version: Version, text: str) -> None:
    assert unescape(escape_value(text, version), version) == text


def test_nothing_is_unescaped_in_1_0() -> None:
    assert unescape("a\\tb\\", Version.V1_0) == "a\\tb\\"


@pytest.mark.parametrize("sequence", ["\\t", "\\", "\\N", "\\\n", "\\ ", "\\é"])
@pytest.mark.parametrize("version", [Version.V1_1, Version.V1_2])
def test_fault_65_an_undefined_sequence_is_refused(version: Version, sequence: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        unescape(f"\\\\{sequence}", version)
    assert refused.value.code is ErrorCode.BAD_ESCAPE
    assert version.text in refused.value.body


def test_a_carriage_return_has_no_sequence_before_1_2() -> None:
    assert unescape("\\r", Version.V1_2) == "\r"
    with pytest.raises(StompProtocolError):
        unescape("\\r", Version.V1_1)


def test_sequences_are_read_from_left_to_right() -> None:
    assert unescape("\\\\n\\\\\\n", Version.V1_2) == "\\n\\\n"
