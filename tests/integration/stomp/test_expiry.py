"""Expiry over STOMP: by message, by queue, through a restart, and into the dead-letter queue."""

from __future__ import annotations

import time

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def in_one_second() -> str:
    return str(time.time_ns() // 1_000_000 + 1000)


@pytest.mark.parametrize("way", ["expires", "expiration", "x-message-ttl"])
def test_nothing_is_delivered_after_its_deadline(connect: Connect, queue: str, way: str) -> None:
    """Fault 42."""
    client = connect()
    value = in_one_second() if way == "expires" else "1000"
    client.publish_confirmed(queue, b"old", headers={way: value})
    if way != "x-message-ttl":
        client.publish_confirmed(queue, b"lasting", headers={"expires": "0"})
    time.sleep(1.1)
    client.subscribe(queue)
    if way != "x-message-ttl":
        client.expect_message(b"lasting")
    client.expect_no_message()


@pytest.mark.parametrize("value", ["2147483648000", "4294967296000", "253402300799999", "9" * 18])
def test_a_deadline_of_any_year_is_kept(connect: Connect, queue: str, value: str) -> None:
    """Fault 48: beyond 2038, 2106, and what a calendar knows."""
    client = connect()
    client.publish_confirmed(queue, b"a", headers={"expires": value})
    client.subscribe(queue)
    assert client.expect_message(b"a")["expires"] == value


def test_before_its_deadline_a_message_is_delivered_with_its_headers(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"a", headers={"expiration": "60000"})
    client.subscribe(queue)
    assert client.expect_message(b"a")["expiration"] == "60000"


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_deadlines_hold_after_a_restart_and_the_dead_letters_are_there_once(
    broker_factory: BrokerFactory, end: str
) -> None:
    broker = broker_factory()
    client = broker.client()
    for number in range(300):
        headers = {"x-dead-letter-queue": "dead", **({"expiration": "1500"} if number % 3 else {})}
        client.publish("/queue/q", b"%d" % number, headers=headers)
    client.publish_confirmed("/queue/q", b"last")
    broker.kill() if end == "kill" else broker.stop()
    time.sleep(1.5)
    broker.start()
    client, dead = broker.client(), broker.client()
    client.subscribe("/queue/q", headers={"prefetch-count": "1000"})
    lasting = [b"%d" % number for number in range(300) if not number % 3]
    client.expect_messages(*lasting, b"last")
    client.expect_no_message()
    dead.subscribe("/queue/dead", headers={"prefetch-count": "1000"})
    found = dead.expect_messages(*[b"%d" % number for number in range(300) if number % 3])
    assert {message["dead-letter-reason"] for message in found} == {"expired"}
    dead.expect_no_message()


def test_a_browser_does_not_see_what_has_expired(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"old", headers={"expiration": "1"})
    client.publish_confirmed(queue, b"lasting")
    time.sleep(0.1)
    client.subscribe(queue, headers={"browser": "true"})
    client.expect_message(b"lasting")
    assert client.expect("MESSAGE")["browser"] == "end"


@pytest.mark.parametrize(("name", "value"), [("expires", "soon"), ("expiration", "-1"), ("x-message-ttl", "1 h")])
def test_a_deadline_that_is_none_is_refused(connect: Connect, queue: str, name: str, value: str) -> None:
    client = connect()
    client.publish(queue, b"", headers={name: value})
    error = client.expect("ERROR")
    assert error["error-code"] == "invalid-header"
    assert name.encode() in error.body
