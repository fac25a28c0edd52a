"""Messages for later over STOMP: by delay and by time, under the names of every broker, through restarts."""

from __future__ import annotations

import time

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import encode_frame
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_YEAR_MS = 31_557_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def expect_error(client: StompClient, code: str, text: str) -> None:
    frame = client.expect_error()
    assert frame["error-code"] == code
    assert text in frame.body.decode()


@pytest.mark.parametrize("name", ["delay", "x-delay", "AMQ_SCHEDULED_DELAY"])
def test_a_message_comes_after_its_delay(connect: Connect, queue: str, name: str) -> None:
    client = connect()
    client.subscribe(queue)
    began = now_ms()
    # In one write: however long this machine takes between two of them, the second is never late.
    later = {"destination": queue, name: "400", "order": "7"}
    client.send_bytes(
        encode_frame("SEND", later.items(), b"later") + encode_frame("SEND", [("destination", queue)], b"now")
    )
    client.expect_message(b"now")
    frame = client.expect_message(b"later")
    assert now_ms() - began >= 400
    assert frame["order"] == "7"
    assert frame.get(name) is None, "whoever sends it on would delay it again"


@pytest.mark.parametrize("name", ["correlation-id", "JMSXGroupID"])
def test_whoever_sends_on_a_message_with_an_id_of_its_own_does_not_delay_it(
    connect: Connect, queue: str, name: str
) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    for number in range(4):  # from the third one on they are known by what they have in common
        client.publish_confirmed(queue, b"%d" % number, headers={"delay": "1", name: f"{number}"})
        frame = client.expect_message(b"%d" % number)
        assert (frame[name], frame.get("delay")) == (str(number), None)


@pytest.mark.parametrize("name", ["deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY"])
def test_a_message_comes_at_its_time(connect: Connect, queue: str, name: str) -> None:
    client = connect()
    client.subscribe(queue)
    moment = now_ms() + 400
    client.publish_confirmed(queue, b"later", headers={name: str(moment)})
    client.expect_message(b"later")
    assert now_ms() >= moment


@pytest.mark.parametrize("headers", [{"delay": "0"}, {"deliver-at": "0"}, {"deliver-at": "1500000000000"}])
def test_what_is_due_already_comes_at_once(connect: Connect, queue: str, headers: dict[str, str]) -> None:
    client = connect()
    client.publish_confirmed(queue, b"now", headers=headers)
    client.subscribe(queue)
    client.expect_message(b"now")


@pytest.mark.parametrize(
    "headers",
    [
        {"deliver-at": "2147483648000"},
        {"deliver-at": "4294967296000"},
        {"deliver-at": "253402300799999"},
        {"delay": str(99 * _YEAR_MS)},
    ],
)
def test_times_beyond_what_computers_once_could_count_are_kept(
    connect: Connect, queue: str, headers: dict[str, str]
) -> None:
    """Fault 48."""
    client = connect()
    client.publish_confirmed(queue, b"later", headers=headers)
    client.subscribe(queue)
    client.expect_no_message()


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"deliver-at": "253402300800000"}, "up to the year 9999"),
        ({"deliver-at": "9" * 30}, "up to the year 9999"),
        ({"delay": str(101 * _YEAR_MS)}, "a hundred years at most"),
        ({"delay": "-1"}, "from 0"),
        ({"delay": "soon"}, "milliseconds"),
        ({"delay": "1", "x-delay": "2"}, "both say when"),
    ],
)
def test_absurd_times_are_refused(connect: Connect, queue: str, headers: dict[str, str], text: str) -> None:
    """Fault 48."""
    client = connect()
    client.publish(queue, b"never", headers=headers)
    expect_error(client, "invalid-header", text)


def test_a_delayed_message_in_a_transaction_comes_with_it_or_not_at_all(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue)
    for name, end in (("a", "ABORT"), ("b", "COMMIT")):
        client.send_frame("BEGIN", {"transaction": name})
        client.publish(queue, name.encode(), headers={"transaction": name, "delay": "50"})
        client.send_frame(end, {"transaction": name})
    client.expect_message(b"b")
    client.expect_no_message()


def test_a_composite_destination_gets_it_everywhere(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe("/topic/delayed.news", id="1")
    client.publish_confirmed(f"{queue},{queue}-2,/topic/delayed.news", b"later", headers={"delay": "100"})
    client.subscribe(queue, id="2")
    client.subscribe(f"{queue}-2", id="3")
    found = {client.expect_message(b"later")["subscription"] for _ in range(3)}
    assert found == {"1", "2", "3"}


def test_temporary_queues_take_no_messages_for_later(connect: Connect) -> None:
    client = connect()
    client.subscribe("/temp-queue/answers")
    client.publish("/temp-queue/answers", b"later", headers={"delay": "100"})
    expect_error(client, "not-supported", "temporary queue")


def test_time_to_live_begins_when_the_message_can_be_had(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue)
    client.publish_confirmed(queue, b"later", headers={"delay": "1500", "expiration": "1300", "x-message-ttl": "1400"})
    client.expect_message(b"later")


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_delayed_messages_survive_and_come_in_order(broker_factory: BrokerFactory, end: str) -> None:
    broker = broker_factory()
    client = broker.client()
    moment = now_ms() + 3000
    for number in range(200):
        client.publish("/queue/q", b"%d" % (number % 100), headers={"deliver-at": str(moment + number % 100)})
    client.publish_confirmed("/queue/q", b"last", headers={"deliver-at": str(moment + 100)})
    broker.kill() if end == "kill" else broker.stop()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/q", ack="auto")
    found = [client.expect_message().body for _ in range(201)]
    assert now_ms() >= moment + 100
    assert found == [b"%d" % (number // 2) for number in range(200)] + [b"last"]
    client.expect_no_message()


def test_a_message_comes_again_as_often_as_it_is_to(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    headers = {"AMQ_SCHEDULED_DELAY": "50", "AMQ_SCHEDULED_PERIOD": "30", "AMQ_SCHEDULED_REPEAT": "2"}
    client.publish_confirmed(queue, b"again", headers=headers)
    for _ in range(3):
        frame = client.expect_message(b"again")
        assert frame.get("AMQ_SCHEDULED_REPEAT") is None
    time.sleep(0.2)
    client.expect_no_message()


def test_a_cron_entry_is_taken(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"new year", headers={"AMQ_SCHEDULED_CRON": "0 0 1 1 *"})
    client.subscribe(queue)
    client.expect_no_message()


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({"AMQ_SCHEDULED_CRON": "0 0 30 2 *"}, "no such day"),
        ({"AMQ_SCHEDULED_CRON": "every day"}, "five fields"),
        ({"AMQ_SCHEDULED_REPEAT": "3"}, "needs 'AMQ_SCHEDULED_PERIOD'"),
        ({"AMQ_SCHEDULED_REPEAT": "-2", "AMQ_SCHEDULED_PERIOD": "1"}, "-1 for ever"),
        ({"AMQ_SCHEDULED_PERIOD": "x"}, "milliseconds"),
        ({"deliver-at": "1", "AMQ_SCHEDULED_PERIOD": "1"}, "both say when"),
    ],
)
def test_absurd_repeats_are_refused(connect: Connect, queue: str, headers: dict[str, str], text: str) -> None:
    client = connect()
    client.publish(queue, b"never", headers=headers)
    expect_error(client, "invalid-header", text)
