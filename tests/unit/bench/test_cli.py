"""`segue bench` as it is typed: what is printed, and the exit codes."""

import argparse
import json
import socket

import pytest

from segue.bench.cli import add_arguments, run
from segue.bench.workload import WorkloadError
from segue.broker.exit_codes import ExitCode
from tests.unit.bench.loopback_broker import loopback_broker


def bench(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def test_publish_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback_broker() as broker:
        code = bench("publish", "--broker", f"127.0.0.1:{broker.port}", "--messages", "1_000", "--json")
    figures = json.loads(capsys.readouterr().out)
    assert (code, figures["scenario"], figures["confirmed"]) == (ExitCode.OK, "publish", 1000)
    assert figures["confirm"]["count"] == 1000


def test_the_passcode_comes_from_the_environment_and_is_printed_nowhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_BENCH_PASSCODE", "top-secret")
    with loopback_broker() as broker:
        bench("publish", "--broker", f"127.0.0.1:{broker.port}", "--messages", "1", "--json")
    assert "top-secret" not in capsys.readouterr().out


def test_e2e_prints_a_table_with_both_directions(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback_broker() as broker:
        code = bench("e2e", "--broker", f"127.0.0.1:{broker.port}", "--messages", "100")
    printed = capsys.readouterr().out
    assert code == ExitCode.OK
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [["confirmed", "100"], ["delivered", "100"]]


def test_deep_prints_each_phase_with_its_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback_broker() as broker:
        code = bench("deep", "--broker", f"127.0.0.1:{broker.port}", "--messages", "1000", "--block", "500")
    lines = capsys.readouterr().out.splitlines()
    assert (code, [line for line in lines if line in ("fill", "probe", "drain")]) == (0, ["fill", "probe", "drain"])
    assert sum(line.startswith("up to") for line in lines) == 2


def test_connections_are_counted_and_held(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback_broker() as broker:
        address = f"127.0.0.1:{broker.port}"
        code = bench("connections", "--broker", address, "--connections", "3", "--hold-seconds", "0", "--json")
    assert (code, json.loads(capsys.readouterr().out)["connections"]) == (0, 3)


def test_a_lost_message_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with loopback_broker(lambda bodies: bodies[:3] + bodies[4:]) as broker:
        address = f"127.0.0.1:{broker.port}"
        bench("publish", "--broker", address, "--messages", "10")
        code = bench("consume", "--broker", address, "--idle-seconds", "0.1")
    assert code == ExitCode.REFUSED
    assert "1 missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("e2e", "--ack", "client", "--queues", "3"), "a cumulative ack needs a queue of its own"),
        (("publish", "--queues", "101", "--producers", "2_000_000"), "at most"),
        (("publish", "--broker", "nowhere"), "HOST:PORT is wanted, not 'nowhere'"),
        (("publish", "--broker", "127.0.0.1:65536"), "HOST:PORT is wanted"),
    ],
    ids=["cumulative ack", "too many producers", "no port", "port out of range"],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_sent(
    words: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(WorkloadError, match=problem):
        bench(*words)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("publish", "--size", "3"), "'3' is not a whole number from 20"),
        (("publish", "--queues", "0"), "'0' is not a whole number from 1"),
        (("publish", "--seconds", "nan"), "'nan' is not a number of seconds, more than 0 and up to 1,000,000"),
        (("latency", "--rate", "0"), "'0' is not a number of messages a second"),
        (("deep", "--messages", "-1"), "'-1' is not a whole number"),
        (("publish", "--send-header", "id:{what}"), "{what}: nothing, 'run', 'number', a number or a|b|c"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_value_out_of_range_is_refused_with_its_range(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench(*words)
    assert problem in capsys.readouterr().err


def test_a_queue_that_can_not_be_filled_is_neither_probed_nor_drained(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        code = bench("deep", "--broker", f"127.0.0.1:{nobody.getsockname()[1]}", "--messages", "10")
    printed = capsys.readouterr().out
    assert (code, printed.count("FAILED"), "probe" in printed) == (ExitCode.REFUSED, 1, False)
