"""`segue bench` against a real daemon: what it reports is what the daemon did."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_client import StompClient

Bench = Callable[..., dict[str, Any]]


@pytest.fixture
def queue(queue_name: str) -> str:
    """A queue that no other test knows."""
    return f"/queue/{queue_name}"


@pytest.fixture
def bench(module_broker: BrokerProcess, queue: str) -> Bench:
    """Run `segue bench` with these words and return its JSON, and its exit code as `exit_code`."""

    def run(scenario: str, *options: str) -> dict[str, Any]:
        host, port = module_broker.address
        place = ["--broker", f"{host}:{port}", "--destination", queue, "--json"]
        command = [sys.executable, "-m", "segue.broker", "bench", scenario, *place, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.stdout, done.stderr
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures | {"exit_code": done.returncode}

    return run


def test_what_publish_counts_as_confirmed_is_on_the_queue(
    bench: Bench, module_broker: BrokerProcess, queue: str
) -> None:
    figures = bench("publish", "--seconds", "1", "--window", "50")
    assert (figures["exit_code"], figures["error"]) == (0, "")
    assert figures["confirmed"] == figures["sent"] > 0
    taken = bench("consume", "--messages", str(figures["confirmed"]))
    assert (taken["unique"], taken["missing"], taken["out_of_order"]) == (figures["confirmed"], 0, 0)
    with module_broker.client() as client:
        client.subscribe(queue)
        client.expect_no_message()


@pytest.mark.parametrize("ack", ["client-individual", "client", "auto"])
def test_end_to_end_loses_and_repeats_nothing(bench: Bench, ack: str) -> None:
    figures = bench("e2e", "--seconds", "1", "--ack", ack)
    assert (figures["exit_code"], figures["error"]) == (0, "")
    assert figures["unique"] == figures["confirmed"] == figures["sent"] > 0
    assert [figures[name] for name in ("missing", "duplicates", "out_of_order", "redelivered")] == [0, 0, 0, 0]


def test_end_to_end_over_several_queues_keeps_the_order_of_each(bench: Bench) -> None:
    figures = bench("e2e", "--messages", "3000", "--queues", "3", "--producers", "6", "--consumers", "3")
    assert (figures["exit_code"], figures["unique"], figures["out_of_order"]) == (0, 3000, 0)


def test_a_fixed_rate_has_a_latency_for_every_message(bench: Bench) -> None:
    figures = bench("latency", "--rate", "500", "--messages", "250")
    assert (figures["exit_code"], figures["latency"]["count"]) == (0, 250)


def test_a_deep_queue_is_drained_whole_and_in_order(bench: Bench) -> None:
    figures = bench("deep", "--messages", "20000", "--block", "5000")
    assert figures["exit_code"] == 0
    assert (figures["drain"]["unique"], figures["drain"]["missing"], figures["drain"]["out_of_order"]) == (21000, 0, 0)
    assert sum(block["count"] for block in figures["fill"]["blocks"]) == 20000


def test_idle_connections_are_all_accepted(bench: Bench) -> None:
    figures = bench("connections", "--connections", "50", "--hold-seconds", "0")
    assert (figures["exit_code"], figures["connections"], figures["error"]) == (0, 50, "")


def test_a_refused_login_is_the_brokers_words_and_an_exit_code(
    bench: Bench, module_broker: BrokerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_BENCH_PASSCODE", "wrong")
    figures = bench("publish", "--messages", "1")
    assert figures["exit_code"] == 1
    assert figures["error"].startswith("ERROR: ")
    # And nobody else is shut out by that.
    with StompClient(module_broker.address) as client:
        assert client.connect().command == "CONNECTED"


def test_requests_over_http_are_answered(module_broker: BrokerProcess) -> None:
    host, port = module_broker.http_address
    command = [sys.executable, "-m", "segue.broker", "bench", "http", "--server", f"{host}:{port}", "--json"]
    done = subprocess.run(
        [*command, "--window", "4", "--seconds", "0.2"], capture_output=True, text=True, timeout=120, check=False
    )
    figures = json.loads(done.stdout)
    assert (done.returncode, figures["error"], figures["refused"]) == (0, "", 0)
    assert figures["requests"] > 0
