"""A store that is written anew is one that a daemon takes for its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.storage.catalog_rows import CursorState, LogState
from segue.storage.tools.check import check_store
from segue.storage.tools.pieces import Message
from segue.storage.tools.rebuild import build_store
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.stores import NOW_MS, open_shelf, read_content, record

QUEUE = {"kind": "queue", "name": "orders"}


def messages(count: int, size: int) -> list[Message]:
    return [(seq, record(1, seq, size)) for seq in range(1, count + 1)]


async def build(target: Path, have: list[Message], head: int = 0) -> None:
    meta: dict[str, str] = {}
    async with build_store(target, meta) as builder:
        await builder.add_messages(1, iter(have))
        await builder.add_log(LogState(1, head or len(have) + 1, QUEUE), [CursorState(2, 1, 1, 1, {}, [], QUEUE)])
        await builder.finish(3)
        meta["note"] = "hello"


async def test_few_messages_are_loose_blocks(tmp_path: Path) -> None:
    await build(tmp_path / "new", messages(100, 200))
    assert check_store(tmp_path / "new").findings == []
    (log,) = show_store(tmp_path / "new")["logs"]
    assert (log["segments"], log["loose"]["messages"], log["owed"]) == ([], 100, 100)


async def test_many_messages_are_segments_of_a_bounded_size(tmp_path: Path) -> None:
    have = messages(1500, 100_000)
    await build(tmp_path / "new", have)
    assert check_store(tmp_path / "new").findings == []
    (log,) = show_store(tmp_path / "new")["logs"]
    assert [segment["owed"] for segment in log["segments"]] == [segment["messages"] for segment in log["segments"]]
    assert len(log["segments"]) >= 2
    assert all(segment["bytes"] < 80 << 20 for segment in log["segments"])
    assert log["segments"][0]["written_ms"] == NOW_MS
    (content,) = (await read_content(tmp_path / "new")).values()
    assert content == dict(have)


async def test_a_new_store_can_be_written_on(tmp_path: Path) -> None:
    await build(tmp_path / "new", messages(10, 100), head=21)
    async with open_shelf(tmp_path / "new") as shelf:
        assert shelf.store.logs[1].head == 21
        await shelf.fill(shelf.store.logs[1], 5)
        assert shelf.queue("next").log.id == 3
    (log, _) = show_store(tmp_path / "new")["logs"]
    assert log["head"] == 26


async def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    await build(tmp_path / "new", messages(1000, 5000))
    paths = [tmp_path / "new", *sorted((tmp_path / "new").rglob("*"))]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o700, 0o600}


async def test_nothing_is_left_when_it_fails(tmp_path: Path) -> None:
    def stop() -> Iterator[Message]:
        yield from messages(10, 100)
        raise OSError("the disk is gone")

    async def fail() -> None:
        async with build_store(tmp_path / "new", {}) as builder:
            await builder.add_messages(1, stop())

    with pytest.raises(OSError, match="the disk is gone"):
        await fail()
    assert os.listdir(tmp_path) == []


async def test_an_empty_directory_may_be_there_already(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    await build(tmp_path / "new", messages(1, 10))
    assert check_store(tmp_path / "new").findings == []
