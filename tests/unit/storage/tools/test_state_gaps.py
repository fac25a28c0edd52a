"""Messages that were moved away before their turn are owed by nobody: for a check, a salvage, a look at a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.storage.tools.check import check_store
from segue.storage.tools.dump import dump_file
from segue.storage.tools.salvage import salvage_store
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.stores import open_shelf, read_content


async def write_store_with_gaps(root: Path, *, crash: bool) -> list[int]:
    """A queue out of whose middle messages were moved, some of them before a checkpoint. Returns what is left."""
    async with open_shelf(root, crash=crash) as shelf:
        queue = shelf.queue("orders")
        await shelf.fill(queue.log, 1000)
        taken = await shelf.take(queue, 10)
        queue.settle_ahead([12, 13, *range(100, 300, 2)])
        await shelf.checkpoint()
        queue.settle_ahead([500, 501, 502, 1000])
        await shelf.settle(queue, taken[:5])
        queue.settle_ahead([20])
        shelf.store.want()
        await shelf.store.drain()
    gone = {*range(1, 6), 12, 13, 20, *range(100, 300, 2), 500, 501, 502, 1000}
    return [seq for seq in range(1, 1001) if seq not in gone]


@pytest.mark.parametrize("crash", [False, True])
async def test_a_store_is_sound_and_is_brought_along_without_what_was_moved_away(tmp_path: Path, crash: bool) -> None:
    root, target = tmp_path / "store", tmp_path / "target"
    left = await write_store_with_gaps(root, crash=crash)
    checked = check_store(root)
    assert checked.findings == []
    assert checked.counts.owed == len(left)
    (log,) = show_store(root)["logs"]
    assert (log["owed"], log["cursors"][0]["settled_ahead"]) == (len(left), 2 + 100 + 3 + 1 + 1)
    ((_, content),) = (await read_content(root)).items()
    assert sorted(content) == left
    report = await salvage_store(root, target)
    assert (report.lost, report.counts.messages) == ([], len(left))
    assert check_store(target).findings == []
    ((_, salvaged),) = (await read_content(target)).items()
    assert salvaged == content
    assert [log["owed"] for log in show_store(target)["logs"]] == [len(left)]


async def test_a_dump_names_what_was_settled_ahead(tmp_path: Path) -> None:
    await write_store_with_gaps(tmp_path / "store", crash=True)
    (path,) = (path for path in (tmp_path / "store/journal").iterdir() if path.name.startswith("0"))
    entries = [part["ranges"] for part in dump_file(path) if part["type"] == "settle-ahead"]
    assert entries[0][:3] == [[12, 13], [100, 100], [102, 102]]
    assert entries[1:] in ([[[500, 502], [1000, 1000]], [[20, 20]]], [[[500, 502], [1000, 1000], [20, 20]]])
