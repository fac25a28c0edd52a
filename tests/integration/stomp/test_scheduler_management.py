"""ActiveMQ's way to browse and cancel what is scheduled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []

_MANAGEMENT = "/topic/ActiveMQ.Scheduler.Management"
_HOUR = "3600000"


def order(client: StompClient, action: str, **headers: str) -> None:
    """Send an order; when this returns it is done."""
    named = {name.replace("_to", "-to"): value for name, value in headers.items()}
    client.publish_confirmed(_MANAGEMENT, headers={"AMQ_SCHEDULER_ACTION": action, **named})


def schedule(client: StompClient, queue: str, body: bytes, **headers: str) -> str:
    """Returns what the message is called."""
    receipt = client.new_receipt()
    client.publish(queue, body, receipt=receipt, headers=headers)
    return client.expect_receipt(receipt)["schedule-id"]


@pytest.fixture
def client(connect: Connect) -> Iterator[StompClient]:
    """A client of a broker on which nothing is scheduled, neither before nor after."""
    client = connect()
    order(client, "REMOVEALL")
    yield client
    cleaner = connect()
    order(cleaner, "REMOVEALL")


def browsed(client: StompClient, **headers: str) -> dict[str, str]:
    """Body → name of everything that is scheduled."""
    client.subscribe("/queue/browsed", id="browsed", ack="auto")
    order(client, "BROWSE", reply_to="/queue/browsed", **headers)
    client.publish_confirmed("/queue/browsed", b"end")
    found: dict[str, str] = {}
    while (frame := client.expect_message()).body != b"end":
        found[frame.body.decode()] = frame["scheduledJobId"]
    client.unsubscribe("browsed")
    return found


def test_what_is_scheduled_is_browsed_and_removed(client: StompClient, queue: str) -> None:
    names = {body: schedule(client, queue, body.encode(), delay=_HOUR) for body in "abc"}
    assert browsed(client) == names
    order(client, "REMOVE", scheduledJobId=names["b"])
    order(client, "REMOVE", scheduledJobId="ID:of-another-broker-1")
    assert browsed(client) == {"a": names["a"], "c": names["c"]}
    order(client, "REMOVEALL")
    assert browsed(client) == {}


def test_a_span_of_time_can_be_named(client: StompClient, queue: str) -> None:
    for body, moment in ((b"a", "4000000000000"), (b"b", "4000000001000"), (b"c", "4000000002000")):
        schedule(client, queue, body, **{"deliver-at": moment})
    span = {"ACTION_START_TIME": "4000000000500", "ACTION_END_TIME": "4000000001000"}
    assert list(browsed(client, **span)) == ["b"]
    order(client, "REMOVEALL", **span)
    assert sorted(browsed(client)) == ["a", "c"]


def test_the_answer_can_go_to_a_temporary_queue(client: StompClient, queue: str) -> None:
    name = schedule(client, queue, b"a", delay=_HOUR)
    client.publish(_MANAGEMENT, headers={"AMQ_SCHEDULER_ACTION": "BROWSE", "reply-to": "/temp-queue/jobs"})
    assert client.expect_message(b"a")["scheduledJobId"] == name


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing-header"),
        ({"AMQ_SCHEDULER_ACTION": "EXPLODE"}, "invalid-header"),
        ({"AMQ_SCHEDULER_ACTION": "REMOVE"}, "missing-header"),
        ({"AMQ_SCHEDULER_ACTION": "BROWSE"}, "missing-header"),
        ({"AMQ_SCHEDULER_ACTION": "REMOVEALL", "ACTION_START_TIME": "x"}, "invalid-header"),
        ({"AMQ_SCHEDULER_ACTION": "REMOVEALL", "transaction": "t"}, "not-supported"),
    ],
)
def test_what_is_no_order_is_refused(client: StompClient, headers: dict[str, str], code: str) -> None:
    client.send_frame("BEGIN", {"transaction": "t"})
    client.publish(_MANAGEMENT, headers=headers)
    assert client.expect_error()["error-code"] == code
