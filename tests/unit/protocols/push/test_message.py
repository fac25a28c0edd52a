"""What a push has for headers."""

from __future__ import annotations

from segue.protocols.push.message import PushMessage, request_headers
from segue.protocols.push.options import Subscriber

OURS = {
    "Iron-Message-Id": "1",
    "Iron-Reservation-Id": "r",
    "Iron-Subscriber-Name": "a",
    "Iron-Subscriber-Message-Url": "http://here/",
}


def headers_of(message: dict[str, str], subscriber: dict[str, str], keys: tuple[bytes, ...] = ()) -> dict[str, str]:
    return request_headers(
        PushMessage("1", b"body", message), Subscriber("a", "http://a/", subscriber, keys), "r", "http://here/", 17
    )


def test_there_are_those_of_ironmq() -> None:
    defaults = {"User-Agent": "IronMQ Pusherd", "Content-Type": "text/plain; encoding=utf-8"}
    assert headers_of({}, {}) == defaults | OURS


def test_a_message_is_heard_before_its_subscriber_and_both_before_the_defaults() -> None:
    found = headers_of({"X-Both": "message", "X-One": "1"}, {"x-both": "subscriber", "CONTENT-TYPE": "a/b"})
    assert found["X-Both"] == "message"
    assert found["X-One"] == "1"
    assert found["CONTENT-TYPE"] == "a/b"
    assert {"x-both", "Content-Type"}.isdisjoint(found)


def test_nobody_says_what_we_say() -> None:
    assert headers_of({"iron-message-id": "2"}, {"IRON-SUBSCRIBER-NAME": "b"})["Iron-Message-Id"] == "1"
    assert "iron-message-id" not in headers_of({"iron-message-id": "2"}, {})


def test_who_has_a_secret_is_sent_a_signature() -> None:
    found = headers_of({"Webhook-Id": "forged"}, {}, (b"k" * 24,))
    assert (found["webhook-id"], found["webhook-timestamp"]) == ("1", "17")
    assert found["webhook-signature"].startswith("v1,")
    assert "Webhook-Id" not in found
