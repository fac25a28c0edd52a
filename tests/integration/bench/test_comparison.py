"""A whole campaign, with a broker of a few lines in the place of the real ones."""

import sys
from pathlib import Path

import pytest

from segue.bench.comparison.campaign import LONG_SCENARIOS, Extent, run_campaign
from segue.bench.comparison.records import Record, Records
from segue.bench.comparison.report import render
from segue.bench.comparison.scenarios import ROUND_SCENARIOS, SHALLOW_DRAIN
from segue.bench.peers.peer import Peer, PeerError
from tests.helpers.ports import free_port

ROOT = Path(__file__).parents[3]


class Loopback(Peer):
    name = "segue"
    title = "a broker of a few lines"
    durability = "none"
    warm_up_seconds = 0.0

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.port = free_port()

    def version(self) -> str:
        return "1"

    def command(self) -> list[str]:
        messages = self.data_directory / "messages"
        return [sys.executable, "-m", "tests.unit.bench.loopback_broker", str(self.port), str(messages)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT)}


class Absent(Loopback):
    def version(self) -> str:
        raise PeerError("not installed")


class Broken(Loopback):
    def command(self) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('out of order')"]


EXTENT = Extent(rounds=1, seconds=0.2, depth=2000, queues=20, each=3, connections=5, settle_seconds=0.0, shallow=500)


def campaign(peer: Peer, directory: Path, extent: Extent = EXTENT) -> list[Record]:
    records: list[Record] = []
    run_campaign([peer], extent, directory, records.append)
    return records


@pytest.mark.long
def test_a_campaign_measures_every_figure_and_leaves_nothing_running(tmp_path: Path) -> None:
    peer = Loopback(tmp_path)
    records = campaign(peer, tmp_path)
    assert [f"{record.scenario}: {record.error}" for record in records if record.error] == []
    measured = {record.scenario for record in records}
    assert {*(scenario.name for scenario in ROUND_SCENARIOS), SHALLOW_DRAIN, *LONG_SCENARIOS[1:]} <= measured
    assert {"deep-fill", "deep-probe", "deep-restart-clean", "deep-restart-killed", "deep-drain"} <= measured
    assert (peer.pids(), peer.directory.exists()) == ([], False)


def test_a_campaign_makes_a_report_with_a_verdict_for_what_was_measured(tmp_path: Path) -> None:
    records = campaign(
        Loopback(tmp_path), tmp_path, Extent(rounds=2, seconds=0.1, scenarios=frozenset({"publish-w1-p1"}))
    )
    assert len(Records(records).of("segue", "publish-w1-p1")) == 2
    lines = render(Records(records)).splitlines()
    verdict = next(line for line in lines if line.startswith("| publish, window 1: confirm p50"))
    assert verdict.split("|")[4].strip() in ("yes", "**no**")


def test_a_broker_that_is_not_installed_is_found_before_anything_is_measured(tmp_path: Path) -> None:
    records: list[Record] = []
    with pytest.raises(PeerError, match="not installed"):
        run_campaign([Loopback(tmp_path), Absent(tmp_path)], EXTENT, tmp_path, records.append)
    assert records == []


def test_a_broker_that_does_not_start_is_a_record_and_the_others_go_on(tmp_path: Path) -> None:
    records: list[Record] = []
    extent = Extent(rounds=1, seconds=0.1, scenarios=frozenset({"e2e-1x1"}))
    run_campaign([Broken(tmp_path), Loopback(tmp_path)], extent, tmp_path, records.append)
    assert [record.scenario for record in records] == ["machine", "bare-write", "start", "e2e-1x1"]
    assert "did not start" in records[2].error
    assert "out of order" in (tmp_path / "segue.log").read_text(encoding="utf-8")


def test_a_port_that_somebody_has_is_not_taken_for_the_broker(tmp_path: Path) -> None:
    first, second = Loopback(tmp_path / "a"), Loopback(tmp_path / "b")
    second.port = first.port
    first.start()
    try:
        with pytest.raises(PeerError, match="something else answers"):
            second.start()
    finally:
        first.stop()
