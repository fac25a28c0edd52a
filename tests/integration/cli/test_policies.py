"""Policies in the settings: new queues follow them, and those that are there follow the ones of the next start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Segue, run_segue

FIRST = """\
[policies.everything]
queues = "*"
dead_letter = "dead"
delivery_limit = 2

[policies.latest]
queues = "latest.*"
priority = 10
messages_max = 2
delivery_limit = 7
"""
SECOND = """\
[policies.short]
queues = "or*s"
messages_max = 1
overflow = "refuse"
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "segue.toml"
    path.write_text(FIRST)
    return path


@pytest.fixture
def governed(broker_factory: BrokerFactory, settings_file: Path) -> BrokerProcess:
    """A daemon with the policies of that file."""
    return broker_factory(arguments=["--config", str(settings_file)], settings={"stomp.listen": "127.0.0.1:0"})


def restart(broker: BrokerProcess, settings_file: Path, text: str) -> None:
    settings_file.write_text(text)
    assert broker.stop() == 0
    broker.start()


def reasons(broker: BrokerProcess, queue: str) -> dict[str, tuple[Any, str]]:
    """Option → value and who says so, without the defaults."""
    done = run_segue("queue", "why", queue, "--json", "--data", str(broker.data))
    assert done.exit_code == 0, done
    options = done.json["options"]
    return {
        option["option"]: (option["value"], option["policy"] or option["from"])
        for option in options
        if option["from"] != "default"
    }


def ready(broker: BrokerProcess, queue: str) -> int:
    return int(run_segue("queue", "show", queue, "--json", "--data", str(broker.data)).json["ready"])


def test_each_queue_follows_the_policies_that_match_it(governed: BrokerProcess) -> None:
    client = governed.client()
    for body in (b"1", b"2", b"3"):
        client.publish_confirmed("/queue/latest.prices", body)
    client.subscribe("/queue/orders", ack="client-individual")
    client.publish_confirmed("/queue/orders", b"bad")
    client.nack(client.expect_message(b"bad"))
    client.nack(client.expect_message(b"bad"))
    client.subscribe("/queue/dead", id="dead")
    client.expect_message(b"1", dead_letter_from="latest.prices")
    client.expect_message(b"bad", dead_letter_from="orders")
    assert ready(governed, "latest.prices") == 2
    assert reasons(governed, "orders") == {"dead_letter": ("dead", "everything"), "delivery_limit": (2, "everything")}
    assert reasons(governed, "dead") == {"delivery_limit": (2, "everything")}
    assert reasons(governed, "latest.prices") == {
        "dead_letter": ("dead", "everything"),
        "delivery_limit": (7, "latest"),
        "messages_max": (2, "latest"),
    }


def test_queues_that_are_there_follow_the_policies_of_the_next_start(
    governed: BrokerProcess, settings_file: Path
) -> None:
    client = governed.client()
    for body in (b"1", b"2", b"3"):
        client.publish_confirmed("/queue/orders", body)
        client.publish_confirmed("/queue/latest.prices", body)
    restart(governed, settings_file, SECOND)
    assert reasons(governed, "orders") == {"messages_max": (1, "short"), "overflow": ("refuse", "short")}
    assert reasons(governed, "latest.prices") == {}
    client = governed.client()
    client.publish_confirmed("/queue/latest.prices", b"4")
    assert (ready(governed, "orders"), ready(governed, "latest.prices")) == (3, 3)
    client.send_frame("SEND", {"destination": "/queue/orders", "receipt": "r"}, b"4")
    client.expect_error("limit reached")
    restart(governed, settings_file, SECOND.replace("refuse", "drop-oldest"))
    client = governed.client()
    client.subscribe("/queue/orders")
    client.expect_message(b"3")


def test_what_a_client_declared_stays_with_its_queue_through_a_restart(
    governed: BrokerProcess, settings_file: Path
) -> None:
    client = governed.client()
    arguments = {"x-max-length": "5", "x-overflow": "drop-head"}
    client.publish_confirmed("/queue/orders", b"1", headers=arguments)
    expected = {"messages_max": (5, "client"), "overflow": ("drop-oldest", "client")}
    assert reasons(governed, "orders").items() > expected.items()
    restart(governed, settings_file, SECOND)
    assert reasons(governed, "orders") == expected


def test_the_reasons_are_a_table_with_those_that_were_overruled(governed: BrokerProcess) -> None:
    governed.client().publish_confirmed("/queue/latest.prices", b"1", headers={"x-delivery-limit": "9"})
    done = run_segue("queue", "why", "latest.prices", "--data", str(governed.data))
    rows = [tuple(line.split(None, 2)) for line in done.out.splitlines()]
    assert ("overflow", "drop-oldest", "default") in rows
    # Each new option is one more of these, and the business of its own tests.
    assert [row for row in rows if row[2:] != ("default",)] == [
        ("option", "value", "from"),
        ("dead_letter", "dead", "policy everything (0)"),
        ("delivery_limit", "9", "declared by a client"),
        ("messages_max", "2", "policy latest (10)"),
        (),
        ("Overruled:",),
        ("option", "value", "from"),
        ("delivery_limit", "7", "policy latest (10)"),
        ("delivery_limit", "2", "policy everything (0)"),
    ]


def test_without_policies_nothing_is_overruled(segue: Segue, queue: str) -> None:
    segue("queue", "declare", queue)
    out = segue("queue", "why", queue).out
    assert "Overruled" not in out
    assert out.count("default") == len(out.splitlines()) - 1


def test_a_queue_that_is_not_there_has_no_reasons(segue: Segue, queue: str) -> None:
    refused = segue("queue", "why", queue, exit_code=ExitCode.REFUSED)
    assert "segue queue list" in refused.err


def test_a_fault_in_a_policy_keeps_the_daemon_from_starting(settings_file: Path) -> None:
    settings_file.write_text(FIRST.replace('queues = "*"', "queue = 1").replace("= 7", '= "many"'))
    done = run_segue("config", "check", "--config", str(settings_file))
    assert done.exit_code == ExitCode.SETTINGS
    found = [line.partition(f"{settings_file}:")[2].partition(";")[0] for line in done.err.splitlines()]
    assert found == [
        "1: [policies.everything]: has no queues",
        "2: [policies.everything] queue: is no setting",
        '10: [policies.latest] delivery_limit: is "many", not a whole number',
    ]


# -- set while the broker runs


def set_policy(broker: BrokerProcess, name: str, *words: str) -> None:
    done = run_segue("policy", "set", name, *words, "--data", str(broker.data))
    assert done.exit_code == 0, done


def test_a_publisher_that_is_connected_is_refused_as_soon_as_a_policy_says_so(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    client = broker.client()
    for body in (b"1", b"2"):
        client.publish_confirmed("/queue/orders", body)
    set_policy(broker, "bound", "--queues", "ord*", "--messages-max", "2", "--overflow", "refuse")
    client.send_frame("SEND", {"destination": "/queue/orders", "receipt": "r"}, b"3")
    client.expect_error("limit reached")
    client = broker.client()
    done = run_segue("policy", "delete", "bound", "--data", str(broker.data), "--json")
    assert done.json == {"policy": "bound", "changed": 1}
    client.publish_confirmed("/queue/orders", b"3")


def test_a_policy_that_was_set_survives_a_crash_and_hides_the_one_of_the_settings(
    governed: BrokerProcess, settings_file: Path
) -> None:
    governed.client().publish_confirmed("/queue/orders", b"1")
    set_policy(governed, "everything", "--queues", "*", "--delivery-limit", "9", "--message-ttl-ms", "7 d")
    expected = {"delivery_limit": (9, "everything"), "message_ttl_ms": (7 * 86_400_000, "everything")}
    assert reasons(governed, "orders") == expected
    governed.kill()
    governed.start()
    assert reasons(governed, "orders") == expected
    rows = run_segue("policy", "list", "--json", "--data", str(governed.data)).json
    assert [(row["policy"], row["from"], row["hidden"]) for row in rows] == [
        ("everything", "command", False),
        ("everything", "settings", True),
        ("latest", "settings", False),
    ]
    out = run_segue("policy", "list", "--data", str(governed.data)).out
    assert out.splitlines()[1].split(None, 4) == [
        "everything", "*", "-", "0", "delivery_limit=9, message_ttl_ms=604800000  segue policy set"
    ]  # fmt: skip
    why = run_segue("queue", "why", "orders", "--data", str(governed.data)).out
    assert "policy everything (0), set" in why


def test_what_can_not_be_set_or_deleted_is_said(governed: BrokerProcess) -> None:
    data = ["--data", str(governed.data)]
    bad = run_segue("policy", "set", "p", "--queues", "*", "--messages-max", "many", *data)
    assert bad.exit_code == ExitCode.USAGE
    assert 'messages_max is "many", not a whole number' in bad.err
    assert run_segue("policy", "set", "p", *data).exit_code == ExitCode.USAGE
    missing = run_segue("policy", "delete", "nothing", *data)
    assert (missing.exit_code, "segue policy list" in missing.err) == (ExitCode.REFUSED, True)
    assert "settings" in run_segue("policy", "delete", "latest", *data).err


def test_a_durable_subscription_follows_a_policy_that_is_set_and_goes_on_so_after_a_crash(
    broker_factory: BrokerFactory,
) -> None:
    broker = broker_factory()
    reader = broker.client()
    durable = {"durable": "true"}
    reader.subscribe("/topic/news", id="mine", ack="client-individual", headers=durable)
    reader.disconnect()
    set_policy(broker, "news", "--subscriptions", "news/*", "--messages-max", "1", "--dead-letter", "missed")
    client = broker.client()
    for body in (b"1", b"2", b"3"):
        client.publish_confirmed("/topic/news", body)
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/missed", ack="client-individual")
    client.expect_messages(b"1", b"2")
    client.subscribe("/topic/news", id="mine", ack="client-individual", headers=durable)
    client.expect_message(b"3")
