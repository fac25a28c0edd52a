"""`stomp.dialect = "rabbitmq"`: refuses what RabbitMQ refuses, in the words that its users match (stomp.md §5)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A daemon that speaks like RabbitMQ."""
    broker = BrokerProcess(tmp_path_factory.mktemp("broker") / "data", settings={"stomp.dialect": "rabbitmq"})
    broker.start()
    yield broker
    broker.kill()
    broker.assert_no_traceback()


@pytest.mark.parametrize(
    ("command", "headers", "message", "body"),
    [
        ("FETCH", {}, "Bad command", 'Could not interpret command "FETCH"'),
        ("SEND", {}, "Missing destination", ""),
        ("SEND", {"destination": "/queue/bah/baz"}, "Invalid destination", "is not a valid queue destination"),
        ("SUBSCRIBE", {"destination": "/queue/bah/baz", "id": "1"}, "Invalid destination", "'/bah/baz'"),
        ("SEND", {"destination": "/something/interesting"}, "Unknown destination", ""),
        ("SEND", {"destination": "plain"}, "Unknown destination", ""),
        ("SUBSCRIBE", {"destination": "/queue/a"}, "Missing header", ""),
        ("SEND", {"destination": "/queue/a", "message-id": "1"}, "Invalid header", "'message-id' is not allowed"),
        ("SEND", {"destination": "/queue/a", "subscription": "1"}, "Invalid header", "not allowed on 'SEND'"),
        ("SEND", {"destination": "/queue/a", "ack": "1"}, "Invalid header", "not allowed on 'SEND'"),
        ("SEND", {"destination": "/amq/queue/never"}, "not_found", ""),
        ("SEND", {"destination": "/exchange/never"}, "not_found", ""),
    ],
)  # fmt: skip
def test_what_rabbitmq_refuses_is_refused_in_its_words(
    connect: Connect, command: str, headers: dict[str, str], message: str, body: str
) -> None:
    client = connect()
    client.send_frame(command, headers)
    error = client.expect_error()
    assert error["message"] == message
    assert body in error.body.decode()


def test_a_duplicated_subscription_is_refused_in_its_words(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, id="T_1")
    client.send_frame("SUBSCRIBE", {"destination": queue, "id": "T_1"})
    error = client.expect_error()
    assert error["message"] == "Duplicated subscription identifier"
    assert b"A subscription identified by 'T_1' already exists." in error.body


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"login": "gust"}, "Access refused for user 'gust'"),
        ({"passcode": "gust"}, "Access refused for user 'guest'"),
        ({"host": "//"}, "Virtual host '//' access denied"),
    ],
)
def test_a_connection_is_refused_in_its_words(raw: StompClient, headers: dict[str, str], body: str) -> None:
    raw.send_connect("1.2", **headers)
    error = raw.expect_error()
    assert error["message"] == "Bad CONNECT"
    assert body in error.body.decode()


def test_a_version_is_refused_in_its_words(raw: StompClient) -> None:
    raw.send_connect("9.1")
    error = raw.expect_error()
    assert error["message"] == "Version mismatch"
    assert error["version"] == "1.0,1.1,1.2"
    assert b"Supported versions are 1.0,1.1,1.2" in error.body


def test_a_slash_in_a_name_is_written_as_2f(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(f"{queue}%2Fpart", ack="auto")
    client.publish(f"{queue}%2Fpart", b"1")
    client.expect_message(b"1", destination=f"{queue}%2Fpart")
