"""ActiveMQ's composite destinations: SEND to a list."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def test_a_message_to_a_list_goes_to_each_and_says_what_the_sender_wrote(connect: Connect, queue_name: str) -> None:
    names = [f"/queue/{queue_name}-1", f"/queue/{queue_name}-2", f"/topic/{queue_name}"]
    client = connect()
    for number, name in enumerate(names):
        client.subscribe(name, id=str(number))
    both = f"{names[0]}, {names[1]},{names[2]}"
    client.publish_confirmed(both, b"x")
    found = [client.expect_message(b"x") for _ in names]
    assert sorted(message["subscription"] for message in found) == ["0", "1", "2"]
    assert {message["destination"] for message in found} == {both}


def test_all_copies_are_there_after_a_kill_and_in_a_transaction(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    client.publish_confirmed("/queue/a,/queue/b", b"1")
    client.begin("t")
    client.publish("/queue/a,/queue/b", b"2", transaction="t")
    client.commit("t")
    broker.kill()
    broker.start()
    for queue in ("/queue/a", "/queue/b"):
        client = broker.client()
        client.subscribe(queue)
        client.expect_messages(b"1", b"2")


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        ("/queue/a,", "invalid-destination"),
        ("/queue/a,/topic/*", "invalid-destination"),
        ("/queue/a,/amq/queue/missing", "not-found"),
        (",".join(["/queue/a"] * 65), "invalid-destination"),
    ],
)
def test_a_list_with_something_wrong_in_it_is_refused(connect: Connect, destination: str, code: str) -> None:
    client = connect()
    client.publish(destination, b"")
    assert client.expect("ERROR")["error-code"] == code


def test_nobody_subscribes_to_a_list(connect: Connect) -> None:
    client = connect()
    client.subscribe("/queue/a,/queue/b", wait=False)
    assert client.expect("ERROR")["error-code"] == "not-supported"
