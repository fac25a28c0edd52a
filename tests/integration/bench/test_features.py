"""Queue features measured on a real daemon, with few messages: every run goes through."""

from pathlib import Path

import pytest

from segue.bench.comparison.records import Record, Records
from segue.bench.features.campaign import run_campaign
from segue.bench.features.cases import CASES
from segue.bench.features.figures import rows
from segue.bench.features.lap import Extent
from segue.bench.features.report import render
from segue.bench.peers.segue import Segue
from tests.helpers.ports import free_port


def campaign(directory: Path, *cases: str) -> list[Record]:
    broker = Segue(directory)
    broker.port = free_port()
    broker.warm_up_seconds = 0.0
    wanted = frozenset(cases)
    # A drain ends when it has its number; only one that has lost messages waits for the minute to pass.
    extent = Extent(1, 1200, 300, pieces=1, seconds=0.1, due_seconds=1.0, idle_seconds=60.0, cases=wanted)
    records: list[Record] = []
    run_campaign(broker, extent, directory, records.append)
    assert (broker.pids(), broker.directory.exists()) == ([], False)
    return records


def measured(records: list[Record]) -> set[tuple[str, str]]:
    assert [f"{record.peer}, {record.scenario}: {record.error}" for record in records if record.error] == []
    return {(record.peer, record.scenario) for record in records}


def test_a_feature_is_filled_used_and_drained_with_its_consumers(tmp_path: Path) -> None:
    records = campaign(tmp_path, "selectors")
    kinds = ("e2e-halves", "e2e-beside", "drain-halves", "drain-beside")
    assert measured(records) >= {("selectors", name) for name in ("fill", *kinds, "memory")}
    # Nothing is compared without a plain queue.
    assert [row.e2e.share for row in rows(Records(records))] == [None, None]


def test_delayed_messages_are_accepted_timed_and_taken_when_due(tmp_path: Path) -> None:
    records = campaign(tmp_path, "delay")
    assert measured(records) >= {("delay", name) for name in ("fill", "e2e-1", "lateness", "drain-1", "memory")}
    taken = sum(record.values["unique"] for record in records if record.scenario == "drain-1")
    assert taken == 1140  # of the 1,200 that were due by then
    assert all(record.values["early"] == 0 for record in records if record.scenario in ("e2e-1", "lateness"))


@pytest.mark.long
def test_every_feature_goes_through(tmp_path: Path) -> None:
    records = campaign(tmp_path, *(case.name for case in CASES))
    assert {name for name, _ in measured(records)} == {"campaign", *(case.name for case in CASES)}
    text = render(Records(records))
    assert all(f"| {row.title} | {row.consumers} |" in text for row in rows(Records(records)))
