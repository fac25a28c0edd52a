"""Error codes are stable, their texts safe, and the reference page has each."""

from __future__ import annotations

import re

from segue.protocols.stomp.errors import ErrorCode, StompError, StompMisuseError, StompProtocolError, quote
from tests.unit.protocols.stomp.reference_page import codes_in, table


def test_a_failure_has_the_text_of_its_code_unless_it_has_its_own() -> None:
    failure = StompProtocolError(ErrorCode.BAD_COMMAND, "body")
    assert (failure.message, failure.body, failure.receipt_id, failure.headers) == ("Bad command", "body", None, ())
    assert StompProtocolError(ErrorCode.BAD_COMMAND, "body", message="other").message == "other"
    assert str(failure) == "Bad command: body"


def test_every_failure_has_one_root() -> None:
    assert issubclass(StompProtocolError, StompError)
    assert issubclass(StompMisuseError, StompError)


def test_codes_are_unique_and_fit_into_a_header() -> None:
    codes = [code.code for code in ErrorCode]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", code) for code in codes)
    assert all(code.text.isprintable() and ":" not in code.text for code in ErrorCode)


def test_fault_101_what_a_peer_said_is_shortened_and_cleaned() -> None:
    assert quote("plain text") == "plain text"
    assert quote("a\r\nb\x1b[31m\u202e") == "a\ufffd\ufffdb\ufffd[31m\ufffd"
    assert quote("x" * 100) == "x" * 100
    assert quote("x" * 101) == "x" * 100 + "\u2026"


def test_the_reference_page_has_every_code_and_its_text() -> None:
    documented = {codes_in(code)[0]: codes_in(text)[0] for code, text, *_ in table("Errors")}
    assert documented == {code.code: code.text for code in ErrorCode}
