"""`show` tells what a store holds as it would be after a start."""

from __future__ import annotations

import json
from pathlib import Path

from segue.storage.catalog import CATALOG
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.damage import flip
from tests.unit.storage.tools.stores import open_shelf


def test_logs_are_shown_with_their_cursors_and_segments(stopped_store: Path) -> None:
    shown = show_store(stopped_store)
    orders, quiet, news = shown["logs"]
    assert (orders["name"], orders["kind"], orders["head"], orders["owed"]) == ("orders", "queue", 3101, 3092)
    assert [(s["first"], s["last"], s["messages"], s["owed"]) for s in orders["segments"]] == [
        (1, 1000, 1000, 992),
        (1001, 2000, 1000, 1000),
        (2001, 3000, 1000, 1000),
    ]
    assert orders["cursors"][0]["holes"] == 5
    assert quiet["loose"]["messages"] == 15
    assert {cursor["definition"]["name"]: cursor["owed"] for cursor in news["cursors"]} == {"alice": 0, "bob": 15}
    assert shown["catalog"]["clean"] is True


def test_what_is_only_in_the_journal_is_shown(crashed_store: Path) -> None:
    shown = show_store(crashed_store)
    late = shown["logs"][-1]
    assert (late["name"], late["owed"], late["journal_messages"]) == ("late", 7, 7)
    assert shown["journal"]["batches"] == 5
    assert shown["catalog"]["clean"] is False


def test_gaps_and_faults_are_counted(crashed_store: Path) -> None:
    start = show_store(crashed_store)["journal"]["replayed_from"]
    flip(min((crashed_store / "journal").iterdir()), start + 60)
    assert show_store(crashed_store)["journal"]["gaps"] == 1
    (crashed_store / CATALOG).unlink()
    assert show_store(crashed_store)["catalog"]["whole"] is False


async def test_a_running_store_is_shown(tmp_path: Path) -> None:
    async with open_shelf(tmp_path / "open") as shelf:
        queue = shelf.queue("orders")
        await shelf.fill(queue.log, 10)
        shown = show_store(tmp_path / "open")
        assert shown["pid"] is not None
        assert shown["logs"][0]["owed"] == 10


def test_it_is_json(crashed_store: Path) -> None:
    assert json.loads(json.dumps(show_store(crashed_store)))["logs"]
