"""Messages as operators see them."""

import base64

import pytest

from segue.protocols.control.message import show_body


def test_a_body_of_text_is_shown_as_text() -> None:
    assert show_body("häl\nlo".encode(), 100) == {"body": "häl\nlo", "body_bytes": 7, "body_cut": False}


def test_a_body_of_octets_is_shown_in_base64() -> None:
    shown = show_body(b"\xff\0\xfe", 100)
    assert base64.b64decode(shown["body_base64"]) == b"\xff\0\xfe"
    assert "body" not in shown


def test_an_empty_body_is_text() -> None:
    assert show_body(b"", 100)["body"] == ""


@pytest.mark.parametrize("bytes_max", range(8))
def test_a_cut_does_not_go_through_a_character(bytes_max: int) -> None:
    shown = show_body("äöü€".encode(), bytes_max)
    assert shown["body_cut"] is True
    assert "äöü€".startswith(shown["body"])
    assert bytes_max - len(shown["body"].encode()) < 3
