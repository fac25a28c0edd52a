"""`segue connection` and `segue topic`: who is there."""

from __future__ import annotations

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerProcess
from tests.integration.cli.conftest import Segue


def test_a_connection_is_listed_with_what_it_does(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client() as client:
        client.publish_confirmed(f"/queue/{queue}", b"x")
        client.subscribe(f"/queue/{queue}", ack="client")
        client.expect_message(b"x")
        client.begin("t", wait=True)
        (row,) = (row for row in segue("connection", "list", "--json").json if queue in row["subscribed_to"])
        assert (row["user"], row["protocol"]) == ("guest", "stomp")
        assert (row["subscriptions"], row["in_flight"], row["transactions"], row["dropped"]) == (1, 1, 1, 0)
        assert row["peer"].startswith("127.0.0.1:")
        assert row["peer"] in segue("connection", "list").out


def test_a_connection_that_is_closed_is_told_why_and_its_messages_go_back(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    with broker.client() as client:
        client.publish_confirmed(f"/queue/{queue}", b"x")
        client.subscribe(f"/queue/{queue}", ack="client")
        client.expect_message(b"x")
        (row,) = (row for row in segue("connection", "list", "--json").json if queue in row["subscribed_to"])
        segue("connection", "close", str(row["id"]), "--reason", "moving house")
        error = client.expect_error()
        assert b"moving house" in error.body + error["message"].encode()
    assert segue("queue", "show", queue, "--json").json["returned"] == 1
    assert row["id"] not in {left["id"] for left in segue("connection", "list", "--json").json}


def test_a_connection_that_is_not_there_is_refused(segue: Segue) -> None:
    done = segue("connection", "close", "999999", exit_code=ExitCode.REFUSED)
    assert "no connection 999999" in done.err
    assert "segue connection list" in done.err


def test_what_a_slow_subscriber_has_lost_is_shown_wherever_one_looks(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    with broker.raw_client(receive_buffer_bytes=4096) as slow, broker.client() as publisher:
        slow.connect()
        slow.subscribe(f"/topic/{queue}", headers={"prefetch-count": "1"})
        for _ in range(40):
            publisher.publish(f"/topic/{queue}", bytes(1 << 20))
        publisher.publish_confirmed(f"/topic/{queue}", b"the last")
        (connection,) = (row for row in segue("connection", "list", "--json").json if queue in row["subscribed_to"])
        patterns = {row["pattern"]: row["dropped"] for row in segue("topic", "list", "--json").json["patterns"]}
        assert patterns[queue] == connection["dropped"] > 20
        assert segue("status", "--json").json["counts"]["dropped_messages"] >= patterns[queue]
        for words in (("connection", "list"), ("topic", "list"), ("status",)):
            assert "dropped" in segue(*words).out
    broker.wait_for_log(rf"messages\.dropped topic={queue} ")


def test_subscriptions_to_topics_are_listed_by_pattern(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client(**{"client-id": "c1"}) as client:
        client.subscribe(f"/topic/{queue}.*", id="a")
        client.subscribe(f"/topic/{queue}.#", id="b", headers={"activemq.subscriptionName": "kept"})
        client.publish_confirmed(f"/topic/{queue}.x", b"x")
        listed = segue("topic", "list", "--json").json
        patterns = {row["pattern"]: (row["subscribers"], row["durable_subscriptions"]) for row in listed["patterns"]}
        assert patterns[f"{queue}.*"] == (1, 0)
        assert patterns[f"{queue}.#"] == (0, 1)
        (durable,) = listed["durable_subscriptions"]
        assert (durable["pattern"], durable["consumers"]) == (f"{queue}.#", 1)
        assert f"{queue}.#" in segue("topic", "list").out
