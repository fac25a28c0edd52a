"""`browser:true`: reading without taking (stomp.md §5)."""

from __future__ import annotations

from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def test_a_browser_sees_everything_and_takes_nothing(connect: Connect, queue: str) -> None:
    client = connect()
    for number in range(300):
        client.publish(queue, b"%d" % number)
    client.publish_confirmed(queue, b"300")
    browser = connect()
    browser.subscribe(queue, id="b", ack="auto", headers={"browser": "true"})
    browser.expect_messages(*(b"%d" % number for number in range(301)))
    assert browser.expect_message()["browser"] == "end"
    client.subscribe(queue, ack="auto")
    first = client.expect_message(b"0")
    assert first["redelivered"] == "false"


def test_browsing_an_empty_queue_ends_at_once(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, id="b", ack="auto", headers={"browser": "true"})
    assert client.expect_message()["browser"] == "end"


def test_a_browser_sees_what_is_out_or_does_not_but_harms_nothing(connect: Connect, queue: str) -> None:
    holder = connect()
    for body in (b"1", b"2"):
        holder.publish_confirmed(queue, body)
    holder.subscribe(queue, headers={"prefetch-count": "1"})
    message = holder.expect_message(b"1")
    browser = connect()
    browser.subscribe(queue, id="b", ack="auto", headers={"browser": "true"})
    bodies = []
    while (frame := browser.expect_message()).get("browser") != "end":
        bodies.append(frame.body)
    assert bodies in ([b"1", b"2"], [b"2"])
    holder.ack(message, wait=True)
    holder.expect_message(b"2")
