"""Loads over HTTP on a real daemon, with few messages: every API understands its requests, and nothing is lost."""

from pathlib import Path

import pytest

from segue.bench.comparison.arena import Arena
from segue.bench.comparison.records import Record, Records
from segue.bench.http.cases import CASES, STOMP, Case
from segue.bench.http.figures import rows, wake_ups
from segue.bench.http.lap import Extent, run_lap
from segue.bench.peers.segue import Segue
from tests.helpers.ports import free_port

OURS = [case for case in CASES if case.is_ours and case.name.endswith("h11")]


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_all_loads_go_through_and_each_message_comes_once(case: Case, tmp_path: Path) -> None:
    broker = case.peer(tmp_path)
    assert isinstance(broker, Segue)
    broker.port, broker.http_port, broker.warm_up_seconds = free_port(), free_port(), 0.0
    records: list[Record] = []
    arena = Arena(broker, 1, records.append, case.name)
    try:
        arena.begin()
        run_lap(arena, case, Extent(pieces=1, seconds=0.02, depth=1000))
    finally:
        arena.end()
    assert [f"{record.scenario}: {record.error}" for record in records if record.error] == []
    measured = Records(records)
    assert [row.load.name for row in rows(measured) if row.deep is not None] == list(case.loads)
    assert [wake_up.depth for wake_up in wake_ups(measured)] == ["shallow", "deep"]
    assert (measured.value(case.name, STOMP, "confirmed") or 0) > 0
    published, taken = (measured.value(case.name, "sum", name) for name in ("published", "taken"))
    assert published == taken
    assert (published or 0) > 1000
