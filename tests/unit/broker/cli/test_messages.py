"""A message in the terminal."""

from typing import Any

from segue.broker.cli.messages import message_text

PLAIN: dict[str, Any] = {
    "seq": 7,
    "accepted_ms": 1_700_000_000_000,
    "expires_ms": 0,
    "persistent": True,
    "headers": [["destination", "/queue/a"]],
    "body": "one\ntwo",
    "body_bytes": 7,
    "body_cut": False,
}


def test_a_message_is_its_number_its_headers_and_its_body() -> None:
    assert message_text(PLAIN).split("\n") == [
        "7: accepted 2023-11-14 22:13:20, 7 bytes",
        "    destination: /queue/a",
        "    | one",
        "    | two",
    ]


def test_what_is_special_about_a_message_is_said() -> None:
    special = PLAIN | {"persistent": False, "deliveries": 3, "expires_ms": 1_700_000_060_000, "body_cut": True}
    text = message_text(special)
    assert "expires 2023-11-14 22:14:20, not persistent, delivered 3 times" in text
    assert text.endswith("| (cut here)")


def test_octets_are_shown_in_base64() -> None:
    message = {name: value for name, value in PLAIN.items() if name != "body"} | {"body_base64": "/wA="}
    assert message_text(message).endswith("| /wA= (base64)")


def test_a_body_can_not_act_on_the_terminal() -> None:
    assert "\x1b" not in message_text(PLAIN | {"body": "\x1b[2J", "headers": [["a\x07", "\x1b"]]})


def test_an_empty_body_has_no_line() -> None:
    assert "|" not in message_text(PLAIN | {"body": "", "body_bytes": 0})
