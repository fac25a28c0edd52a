"""The command of a campaign: it measures, and writes the page; an error is told in a line."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.bench.comparison.command import add_arguments, chosen, names_of, run_command
from segue.bench.comparison.records import Record, Records, append_record
from segue.bench.peers.peer import PeerError

MARKERS = {"begin_line": "<!-- begin -->", "end_line": "<!-- end -->"}


@pytest.fixture(autouse=True)
def same_signals() -> Iterator[None]:
    """A command has the process for itself; a test has not."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def flags(*given: str | Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(list(map(str, given)))


def measure(records: Path) -> None:
    append_record(records, Record("segue", "drain", 1, {"rate": 7.0}))


def rate(records: Records) -> str:
    return f"rate: {records.value('segue', 'drain', 'rate')}"


def test_what_was_measured_is_written_between_the_markers_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Figures\n<!-- begin -->\nold\n<!-- end -->\nnotes\n", encoding="utf-8")
    args = flags("--directory", tmp_path, "--report", page)
    assert run_command("trial", args, measure, rate, **MARKERS) == 0
    assert page.read_text(encoding="utf-8") == "Figures\n<!-- begin -->\n\nrate: 7.0\n\n<!-- end -->\nnotes\n"
    assert len(list(tmp_path.glob("results/trial-*.jsonl"))) == 1


def test_a_report_can_be_made_again_without_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(tmp_path / "before.jsonl")
    args = flags("--only-report", "--records", tmp_path / "before.jsonl")

    def not_again(records: Path) -> None:
        raise AssertionError

    assert run_command("trial", args, not_again, rate) == 0
    assert capsys.readouterr().err == f"records: {tmp_path / 'before.jsonl'}\n"


def test_a_broker_that_does_not_start_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(records: Path) -> None:
        raise PeerError("it has no port")

    assert run_command("trial", flags("--directory", tmp_path), fails, rate) == 1
    assert capsys.readouterr().err == "trial: it has no port\n"


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="deep: not one of plain, ttl"):
        names_of(("plain", "ttl"))("plain,deep")


def test_what_is_said_goes_before_what_a_quick_look_has() -> None:
    args = argparse.Namespace(quick=True, rounds=2, depth=None)
    assert chosen(args, {"rounds": 1, "depth": 50}) == {"rounds": 2, "depth": 50}
    args.quick = False
    assert chosen(args, {"rounds": 1, "depth": 50}) == {"rounds": 2}
