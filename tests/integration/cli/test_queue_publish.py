"""`segue queue publish`: what an operator sends is what a client would have sent."""

from __future__ import annotations

import pytest

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerProcess
from tests.integration.cli.conftest import Segue


def test_a_message_from_the_command_line_is_delivered_as_if_a_client_had_sent_it(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    segue("queue", "publish", queue, "häl:lo\n", "--header", "kind:a:b", "--header", "back\\slash: x")
    with broker.client() as client:
        client.publish_confirmed(f"/queue/{queue}", "häl:lo\n".encode(), headers={"kind": "a:b", "back\\slash": "x"})
        client.subscribe(f"/queue/{queue}", ack="client")
        ours, theirs = client.expect("MESSAGE"), client.expect("MESSAGE")
    assert ours.body == theirs.body
    different = ("message-id", "ack")
    ours_kept, theirs_kept = ([pair for pair in frame.headers if pair[0] not in different] for frame in (ours, theirs))
    assert ours_kept == theirs_kept
    assert ("kind", "a:b") in ours_kept


def test_a_body_is_read_from_standard_input_octet_for_octet(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    body = bytes(range(256)) * 10
    done = segue("queue", "publish", queue, "--json", input=body)
    assert (done.json["queue"], done.json["seq"]) == (queue, 1)
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}")
        client.expect_message(body)


def test_a_header_of_the_broker_is_refused(segue: Segue, queue: str) -> None:
    done = segue("queue", "publish", queue, "x", "--header", "message-id:7", exit_code=ExitCode.USAGE)
    assert "message-id" in done.err
    segue("queue", "show", queue, exit_code=ExitCode.REFUSED)


def test_what_flags_say_stands_in_the_headers_that_a_client_would_have_sent(
    broker: BrokerProcess, segue: Segue, queue: str
) -> None:
    flags = ["--ttl", "1 h", "--priority", "7", "--group", "g", "--dedup-id", "ours"]
    segue("queue", "publish", queue, "x", *flags)
    headers = {"expiration": "3600000", "priority": "7", "JMSXGroupID": "g", "dedup-id": "theirs"}
    with broker.client() as client:
        client.publish_confirmed(f"/queue/{queue}", b"x", headers=headers)
        client.subscribe(f"/queue/{queue}", ack="client")
        ours, theirs = (dict(client.expect("MESSAGE").headers) for _ in range(2))
    different = {"message-id", "ack", "dedup-id"}
    assert {name for name in ours.keys() | theirs if ours.get(name) != theirs.get(name)} == different
    assert ours["dedup-id"] == "ours"


def test_a_message_that_lives_too_short_is_not_delivered(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    segue("queue", "publish", queue, "gone", "--ttl", "1 ms")
    segue("queue", "publish", queue, "stays")
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}")
        client.expect_message(b"stays")


def test_messages_of_a_group_are_kept_together(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client() as one, broker.client() as other:
        for client in (one, other):
            client.subscribe(f"/queue/{queue}", ack="client-individual", headers={"prefetch-count": "1"})
            client.publish_confirmed("/queue/other", b"the subscription has begun")
        for body in ("first", "second"):
            segue("queue", "publish", queue, body, "--group", "g")
        row = segue("queue", "show", queue, "--json").json
        assert (row["in_flight"], row["ready"], row["passed_over"], row["groups"]) == (1, 1, 1, 1)


def test_a_repeat_adds_nothing_whoever_sent_the_first(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    first = segue("queue", "publish", queue, "x", "--dedup-id", "7", "--json").json
    assert first == {"queue": queue, "log": first["log"], "seq": 1, "duplicate": False}
    with broker.client() as client:
        client.publish(f"/queue/{queue}", b"x", headers={"dedup-id": "7"}, receipt="r")
        assert client.expect_receipt("r")["duplicate"] == "true"
    done = segue("queue", "publish", queue, "x", "--dedup-id", "7")
    assert done.out == f"message {first['log']}-1 of queue '{queue}' has this id: nothing was added\n"
    assert segue("queue", "show", queue, "--json").json["published"] == 1


def test_a_repeat_of_a_message_for_later_is_told_what_that_one_is_called(segue: Segue, queue: str) -> None:
    first = segue("queue", "publish", queue, "x", "--delay", "1 h", "--dedup-id", "7", "--json").json
    assert first == {"queue": queue, "schedule_id": first["schedule_id"], "duplicate": False}
    done = segue("queue", "publish", queue, "x", "--delay", "2 h", "--dedup-id", "7")
    assert done.out == f"message {first['schedule_id']} of queue '{queue}' has this id: nothing was added\n"
    done = segue("queue", "publish", queue, "x", "--dedup-id", "7")
    assert done.out == f"message for later of queue '{queue}' has this id: nothing was added\n"
    assert segue("queue", "show", queue, "--json").json["delayed"] == 1
    assert segue("queue", "show", queue, "--json").json["published"] == 0


@pytest.mark.parametrize("flags", [("--delay", "1 h"), ("--deliver-at", "2100-01-01 12:00")])
def test_a_message_for_later_waits_and_can_be_cancelled(segue: Segue, queue: str, flags: tuple[str, str]) -> None:
    published = segue("queue", "publish", queue, "x", *flags, "--json").json
    (waiting,) = segue("schedule", "list", "--queue", queue, "--json").json
    assert waiting["schedule_id"] == published["schedule_id"]
    assert segue("queue", "show", queue, "--json").json["delayed"] == 1
    segue("schedule", "cancel", published["schedule_id"])
    assert segue("schedule", "list", "--queue", queue, "--json").json == []


def test_a_message_for_a_time_that_is_past_comes_at_once(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    segue("queue", "publish", queue, "x", "--deliver-at", "2020-01-01")
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}")
        client.expect_message(b"x")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--header", "delay:5"), "(--delay)"),
        (("--header", "_AMQ_SCHED_DELIVERY:5"), "(--deliver-at)"),
        (("--header", "JMSXGroupID:g"), "(--group)"),
        (("--header", "retain:true"), "is for clients"),
        (("--delay", "5", "--deliver-at", "5"), "not allowed with"),
        (("--delay", "soon"), "'soon' is not a number with a unit"),
        (("--deliver-at", "soon"), "'soon' is no time"),
    ],
)
def test_what_can_not_be_is_refused_and_the_way_told(
    segue: Segue, queue: str, flags: tuple[str, ...], told: str
) -> None:
    refused = segue("queue", "publish", queue, "x", *flags, exit_code=ExitCode.USAGE)
    assert told in refused.err
    segue("queue", "show", queue, exit_code=ExitCode.REFUSED)
