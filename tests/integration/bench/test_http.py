"""Loads over HTTP on a real daemon, with few messages: every API understands its requests, and nothing is lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from segue.bench.comparison.arena import Arena
from segue.bench.comparison.records import Record, Records
from segue.bench.http.cases import CASES, Case
from segue.bench.http.figures import rows, stomp, wake_ups
from segue.bench.http.lap import Extent, run_lap
from segue.bench.peers.segue import Segue
from tests.helpers.ports import free_port

# With the parser that is always there, also where the campaign goes no deeper with it.
OURS = [replace(case, deep=True) for case in CASES if case.name in ("ironmq-h11", "v1-h11")]


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_all_loads_go_through_and_each_message_comes_once(case: Case, tmp_path: Path) -> None:
    broker = case.peer(tmp_path)
    assert isinstance(broker, Segue)
    broker.port, broker.http_port, broker.warm_up_seconds = free_port(), free_port(), 0.0
    records: list[Record] = []
    arena = Arena(broker, 1, records.append, case.name)
    try:
        arena.begin()
        run_lap(arena, case, Extent(pieces=1, seconds=0.02, depth=1000, rest_seconds=0.0))
    finally:
        arena.end()
    assert [f"{record.scenario}: {record.error}" for record in records if record.error] == []
    measured = Records(records)
    assert [row.load.name for row in rows(measured) if row.deep is not None] == list(case.loads)
    assert [each.name for each, _ in stomp(measured)] == [case.name]
    assert [wake_up.depth for wake_up in wake_ups(measured)] == ["shallow", "deep"]
    published, taken = (measured.value(case.name, "sum", name) for name in ("published", "taken"))
    assert published == taken
    assert (published or 0) > 1000
