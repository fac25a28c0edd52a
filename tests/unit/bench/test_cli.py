"""`segue bench` as it is typed: what is printed, and the exit codes."""

import argparse
import json

import pytest

from segue.bench.cli import add_arguments, run
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
    "words", [("publish", "--size", "3"), ("publish", "--broker", "nowhere"), ("publish", "--queues", "0")]
)
def test_options_that_do_not_go_together_are_a_usage_error(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with loopback_broker() as broker:
        code = bench(*words[:1], "--broker", f"127.0.0.1:{broker.port}", *words[1:])
    assert (code, capsys.readouterr().err[:12]) == (ExitCode.USAGE, "segue bench:")
