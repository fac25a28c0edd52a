"""`segue queue`: what an operator does to queues is what clients see."""

from __future__ import annotations

import base64

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Segue


def fill(broker: BrokerProcess, queue: str, *bodies: bytes) -> None:
    with broker.client() as client:
        for body in bodies:
            client.publish_confirmed(f"/queue/{queue}", body)


def test_a_message_that_was_confirmed_survives_kill_9(broker_factory: BrokerFactory, segue: Segue) -> None:
    broker = broker_factory()
    segue("queue", "publish", "orders", "kept", data=broker.data)
    broker.kill()
    broker.start()
    (message,) = segue("queue", "browse", "orders", "--json", data=broker.data).json_lines
    assert message["body"] == "kept"


def test_a_browse_shows_messages_in_order_and_takes_none(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, b"one", b"two", b"\xff\xfe", b"four")
    done = segue("queue", "browse", queue, "--limit", "3", "--json")
    assert [message["seq"] for message in done.json_lines] == [1, 2, 3]
    assert [message.get("body") for message in done.json_lines] == ["one", "two", None]
    assert base64.b64decode(done.json_lines[2]["body_base64"]) == b"\xff\xfe"
    assert ["destination", f"/queue/{queue}"] in done.json_lines[0]["headers"]
    assert len(segue("queue", "browse", queue, "--all", "--json").json_lines) == 4
    assert "two" in segue("queue", "browse", queue).out
    assert segue("queue", "show", queue, "--json").json["ready"] == 4


def test_a_browse_of_many_messages_brings_all_of_them(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client() as client:
        for number in range(5000):
            client.publish(f"/queue/{queue}", b"%d" % number)
        client.publish_confirmed(f"/queue/{queue}", b"5000")
    found = segue("queue", "browse", queue, "--all", "--json").json_lines
    assert [message["body"] for message in found] == [str(number) for number in range(5001)]


def test_a_long_body_is_cut_unless_all_of_it_is_wanted(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, b"x" * 5000)
    (short,) = segue("queue", "browse", queue, "--json", "--body-bytes", "7").json_lines
    assert (short["body"], short["body_bytes"], short["body_cut"]) == ("x" * 7, 5000, True)
    (whole,) = segue("queue", "browse", queue, "--json", "--full-bodies").json_lines
    assert (len(whole["body"]), whole["body_cut"]) == (5000, False)


def test_a_purge_removes_what_is_ready_and_leaves_what_is_out(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, b"one", b"two", b"three")
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="client-individual", headers={"prefetch-count": "1"})
        out = client.expect_message(b"one")
        assert segue("queue", "purge", queue, "--json").json == {"queue": queue, "purged": 2}
        row = segue("queue", "show", queue, "--json").json
        assert (row["ready"], row["in_flight"]) == (0, 1)
        client.nack(out)
        client.expect_message(b"one")


def test_a_queue_is_declared_once(segue: Segue, queue: str) -> None:
    assert segue("queue", "declare", queue, "--json").json["created"] is True
    assert segue("queue", "declare", queue, "--json").json["created"] is False
    assert queue in {row["name"] for row in segue("queue", "list", "--json").json}


def test_a_queue_that_is_declared_to_go_with_its_last_consumer_does(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    segue("queue", "declare", queue, "--auto-delete")
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}")
        client.publish_confirmed("/queue/other", b"the subscription has begun")
        assert segue("queue", "show", queue, "--json").json["auto_delete"] is True
        client.disconnect()
    segue("queue", "show", queue, exit_code=ExitCode.REFUSED)


def test_a_queue_with_messages_or_consumers_is_not_deleted_when_that_is_excluded(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    fill(broker, queue, b"one")
    refused = segue("queue", "delete", queue, "--if-empty", "--json", exit_code=ExitCode.REFUSED)
    assert refused.json["error"]["code"] == "in-use"
    assert "1 messages" in refused.err
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="client")
        client.expect_message(b"one")
        refused = segue("queue", "delete", queue, "--if-unused", exit_code=ExitCode.REFUSED)
        assert "1 consumers" in refused.err
        assert segue("queue", "delete", queue, "--json").json == {"queue": queue, "messages": 1}
        client.expect_error()


def test_a_paused_queue_delivers_nothing_until_it_is_resumed_also_after_a_kill(
    broker_factory: BrokerFactory, segue: Segue
) -> None:
    broker = broker_factory()
    fill(broker, "orders", b"one")
    assert segue("queue", "pause", "orders", "--json", data=broker.data).json == {"queue": "orders", "paused": True}
    broker.kill()
    broker.start()
    with broker.client() as client:
        client.subscribe("/queue/orders")
        client.expect_no_message()
        assert "PAUSED" in segue("queue", "show", "orders", data=broker.data).out
        segue("queue", "resume", "orders", data=broker.data)
        client.expect_message(b"one")
        fill(broker, "orders", b"two")
        client.expect_message(b"two")


def test_what_is_not_there_is_said_with_the_next_step(segue: Segue, queue: str) -> None:
    for action in ("show", "browse", "purge", "delete"):
        done = segue("queue", action, queue, exit_code=ExitCode.REFUSED)
        assert f"no queue '{queue}'" in done.err
        assert "segue queue list" in done.err


def test_a_name_that_no_client_could_use_is_refused(segue: Segue) -> None:
    for name in ("a..b", "a*", "", "\u202ea", "a,b"):
        for words in (("declare", name), ("publish", name, "body")):
            assert "no name of a queue" in segue("queue", *words, exit_code=ExitCode.USAGE).err


def test_a_list_counts_what_happens(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, b"one", b"two", b"three", b"four")
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="client-individual", headers={"prefetch-count": "3"})
        first, _, third = (client.expect("MESSAGE") for _ in range(3))
        client.ack(first, wait=True)
        (row,) = (row for row in segue("queue", "list", "--json").json if row["name"] == queue)
        counts = ("published", "ready", "in_flight", "returned", "settled", "consumers", "delivered", "acknowledged")
        assert [row[name] for name in counts] == [4, 0, 3, 0, 1, 1, 4, 1]
        assert row["bytes"] > 0
        assert row["oldest_age_seconds"] >= 0
        assert set(row["rates"]) == {"publish", "deliver", "acknowledge"}
        (consumer,) = segue("queue", "show", queue, "--json").json["consumed_by"]
        assert (consumer["user"], consumer["prefetch"], consumer["in_flight"]) == ("guest", 3, 3)
        assert third["message-id"]
    assert queue in segue("queue", "list").out


def test_a_list_of_many_queues_is_whole_and_sorted(segue: Segue, broker: BrokerProcess) -> None:
    names = [f"many-{number:03}" for number in range(450)]
    with broker.client() as client:
        for name in reversed(names):
            client.publish(f"/queue/{name}", b"x")
        client.publish_confirmed(f"/queue/{names[0]}", b"x")
    listed = [row["name"] for row in segue("queue", "list", "--json").json]
    assert [name for name in listed if name.startswith("many-")] == names
    assert listed == sorted(listed)


def test_a_queue_with_priorities_shows_what_waits_at_each_level(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    with broker.client() as client:
        for _ in range(2):
            client.publish_confirmed(f"/queue/{queue}", b"", headers={"x-max-priority": "9", "priority": "0"})
        published = segue("queue", "publish", queue, "urgent", "--priority", "9", "--json").json
        shown = segue("queue", "show", queue).out
        assert "ready by level                  9: 1, 4: 0, 0: 2" in shown.splitlines()
        client.subscribe(f"/queue/{queue}")
        assert client.expect_message(b"urgent")["message-id"] == f"{published['log']}-{published['seq']}"
